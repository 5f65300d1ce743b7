"""Addresses of Services, defaults that clients rely on, and validation of the kinds users write."""

import ipaddress
from typing import Any

import pytest

from .conftest import Http, deployment, pod

CIDR = ipaddress.ip_network("10.96.0.0/16")


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def test_a_service_gets_an_address_from_the_range(http: Http, space: str) -> None:
    spec = (await http.post(f"{space}/services", service("s"))).body["spec"]
    assert ipaddress.ip_address(spec["clusterIP"]) in CIDR
    assert (spec["clusterIPs"], spec["ports"][0]["targetPort"]) == ([spec["clusterIP"]], 80)


async def test_the_kubernetes_service_has_the_first_address(http: Http) -> None:
    body = (await http.get("/api/v1/namespaces/default/services/kubernetes")).body
    assert body["spec"]["clusterIP"] == "10.96.0.1"


async def test_a_taken_address_is_refused(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/services", service("s", clusterIP="10.96.0.1"))
    assert (reply.code, "already allocated" in reply.body["message"]) == (422, True)


async def test_an_address_outside_the_range_is_refused(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/services", service("s", clusterIP="192.0.2.1"))
    assert (reply.code, "not in the valid range" in reply.body["message"]) == (422, True)


async def test_an_update_without_address_keeps_it(http: Http, space: str) -> None:
    made = (await http.post(f"{space}/services", service("s"))).body
    body = service("s", sessionAffinity="ClientIP")
    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    spec = (await http.put(f"{space}/services/s", body)).body["spec"]
    assert spec["clusterIP"] == made["spec"]["clusterIP"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


async def test_a_headless_service_has_no_address(http: Http, space: str) -> None:
    spec = (await http.post(f"{space}/services", service("s", clusterIP="None"))).body["spec"]
    assert spec["clusterIPs"] == ["None"]


async def test_an_external_name_has_no_address(http: Http, space: str) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"type": "ExternalName", "externalName": "example.test"}}
    assert "clusterIP" not in (await http.post(f"{space}/services", body)).body["spec"]


async def test_node_ports_are_given_and_kept(http: Http, space: str) -> None:
    made = (await http.post(f"{space}/services", service("s", type="LoadBalancer"))).body["spec"]["ports"]
    reply = await http.patch(f"{space}/services/s", {"spec": {"ports": [{"port": 80, "name": "x"}]}})
    kept = reply.body["spec"]["ports"]
    assert 30000 <= made[0]["nodePort"] == kept[0]["nodePort"] < 32768


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ports": []}, "spec.ports"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name"),
        ({"type": "Odd"}, "spec.type"),
    ],
    ids=str,
)
async def test_a_wrong_service_is_refused_by_field(
    http: Http, space: str, spec: dict[str, Any], field: str
) -> None:
    reply = await http.post(f"{space}/services", service("s", **spec))
    assert (reply.code, reply.body["details"]["causes"][0]["field"]) == (422, field)


async def test_a_deployment_must_select_its_own_pods(http: Http, space: str) -> None:
    body = deployment("d", selector={"matchLabels": {"app": "other"}})
    reply = await http.post(space.replace("/api/v1", "/apis/apps/v1") + "/deployments", body)
    assert "`selector` does not match template `labels`" in reply.body["message"]


async def test_a_pods_containers_do_not_change(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    change = {"spec": {"containers": [{"name": "main", "image": "lab/echo:1", "command": ["x"]}]}}
    reply = await http.patch(f"{space}/pods/p", change)
    assert (reply.code, "pod updates may not change fields" in reply.body["message"]) == (422, True)


async def test_string_data_becomes_data(http: Http, space: str) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"k": "v"}}
    found = (await http.post(f"{space}/secrets", body)).body
    assert (found["data"], found["type"], "stringData" in found) == ({"k": "dg=="}, "Opaque", False)


async def test_an_event_reads_the_same_in_both_groups(http: Http, space: str) -> None:
    body = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "reason": "Started",
        "message": "hello",
    }
    await http.post(f"{space}/events", body)
    other = await http.get(space.replace("/api/v1", "/apis/events.k8s.io/v1") + "/events/e")
    assert (other.body["note"], other.body["regarding"]["name"]) == ("hello", "p")
