"""EndpointSlices and Endpoints a Service should have, from its pods or its hand-written Endpoints."""

from typing import Any

import pytest

from lab.pocket.controllers.endpoints import endpoints_object, slices
from lab.pocket.controllers.mirroring import is_mirrored, mirrored

Object = dict[str, Any]


def service(**spec: Any) -> Object:
    base = {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}
    return {"metadata": {"name": "front", "namespace": "ns", "uid": "s"}, "spec": {**base, **spec}}


def pod(name: str, ip: str, ready: str = "True", port: int = 8080, **meta: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": name, "labels": {"app": "a"}, **meta},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": port}]}],
        },
        "status": {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("one", "spec", "wanted"),
    [
        pytest.param(pod("p", "1"), {}, (True, True, False), id="ready"),
        pytest.param(pod("p", "1", "False"), {}, (False, False, False), id="not ready"),
        pytest.param(pod("p", "1", deletionTimestamp="x"), {}, (False, True, True), id="on its way out"),
        pytest.param(
            pod("p", "1", "False"),
            {"publishNotReadyAddresses": True},
            (True, False, False),
            id="published anyway",
        ),
    ],
)
def test_conditions(one: Object, spec: Object, wanted: tuple[bool, bool, bool]) -> None:
    [found] = slices(service(**spec), [one])
    shown = found["endpoints"][0]["conditions"]
    assert (shown["ready"], shown["serving"], shown["terminating"]) == wanted


def test_service_without_pods_has_one_empty_slice() -> None:
    [found] = slices(service(), [])
    assert found["endpoints"] == []


def test_named_port_resolves_per_pod_and_splits_slices() -> None:
    found = slices(service(), [pod("p", "1"), pod("q", "2", port=9090)])
    assert [(s["ports"][0]["port"], s["endpoints"][0]["addresses"]) for s in found] == [
        (8080, ["1"]),
        (9090, ["2"]),
    ]


def test_names_do_not_depend_on_pods() -> None:
    first = slices(service(), [pod("p", "1")])[0]["metadata"]["name"]
    assert slices(service(), [pod("q", "2")])[0]["metadata"]["name"] == first


def members(found: list[Object]) -> list[list[str]]:
    return [[e["targetRef"]["name"] for e in s["endpoints"]] for s in found]


def test_slices_have_a_hundred_endpoints_at_most() -> None:
    found = slices(service(), [pod(f"p{n:03}", f"10.0.0.{n}") for n in range(230)])
    assert [len(part) for part in members(found)] == [100, 100, 30]
    assert len({s["metadata"]["name"] for s in found}) == 3


def test_a_pod_stays_in_its_slice_when_others_come_and_go() -> None:
    many = [pod(f"p{n:03}", f"10.0.0.{n}") for n in range(150)]
    before = slices(service(), many)
    after = slices(service(), [pod("a", "10.1.0.1"), *many[10:]], current=before)
    changed = [a for a, b in zip(after, before, strict=True) if a != b]
    assert members(changed) == [["a", *(f"p{n:03}" for n in range(10, 100))]]


def test_pods_without_address_or_finished_are_left_out() -> None:
    finished = pod("q", "2")
    finished["status"]["phase"] = "Succeeded"
    assert slices(service(), [pod("p", ""), finished])[0]["endpoints"] == []


def test_endpoints_keep_ready_and_unready_apart() -> None:
    [subset] = endpoints_object(service(), [pod("p", "1"), pod("q", "2", "False")])["subsets"]
    assert [a["ip"] for a in subset["addresses"]] == ["1"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["2"]


HAND_WRITTEN: Object = {
    "metadata": {"name": "front", "namespace": "ns", "uid": "e", "labels": {"mirror": "yes"}},
    "subsets": [{"addresses": [{"ip": "172.28.0.11"}], "ports": [{"name": "http", "port": 4143}]}],
}


def test_hand_written_endpoints_are_mirrored_with_their_labels() -> None:
    [found] = mirrored(HAND_WRITTEN)
    assert found["metadata"]["labels"]["mirror"] == "yes"
    assert found["endpoints"] == [{"addresses": ["172.28.0.11"], "conditions": {"ready": True}}]
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 4143}]


def test_mirrored_families_and_crowds_get_slices_of_their_own() -> None:
    crowd = [{"ip": f"10.0.{n // 100}.{n % 100}"} for n in range(120)]
    own = {**HAND_WRITTEN, "subsets": [{"addresses": [*crowd, {"ip": "fd00::1"}], "ports": [{"port": 80}]}]}
    found = mirrored(own)
    assert [(s["addressType"], len(s["endpoints"])) for s in found] == [
        ("IPv4", 100),
        ("IPv4", 20),
        ("IPv6", 1),
    ]
    assert len({s["metadata"]["name"] for s in found}) == 3


@pytest.mark.parametrize(
    ("owner", "labels", "wanted"),
    [
        pytest.param(service(selector=None), {}, True, id="no selector"),
        pytest.param(service(), {}, False, id="a selector"),
        pytest.param(None, {}, False, id="no service"),
        pytest.param(
            service(selector=None), {"endpointslice.kubernetes.io/skip-mirror": "true"}, False, id="declined"
        ),
    ],
)
def test_what_is_mirrored(owner: Object | None, labels: Object, wanted: bool) -> None:
    endpoints = {**HAND_WRITTEN, "metadata": {**HAND_WRITTEN["metadata"], "labels": labels}}
    assert is_mirrored(owner, endpoints) is wanted
