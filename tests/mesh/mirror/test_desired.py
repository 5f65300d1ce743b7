"""What a remote Service becomes in the source cluster."""

from typing import Any

import pytest

from lab.controlplane.mirror import desired, federated
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.link import LinkError, duration, link_of
from tests.mesh.mirror.objects import a_link, link_object, service

MODES = {
    "exported": ({"exported": "true"}, "gateway"),
    "exported for remote discovery": ({"exported": "remote-discovery"}, "flat"),
    "not exported": ({}, None),
    "any other value": ({"exported": "yes"}, None),
    "federated only": ({"federated": "member"}, None),
}


@pytest.mark.parametrize("case", MODES)
def test_the_label_of_a_service_decides_its_mode(case: str) -> None:
    labels, mode = MODES[case]
    assert desired.mode_of(service(**labels), a_link()) == mode


def test_an_empty_selector_selects_nothing() -> None:
    assert desired.mode_of(service(exported="true"), a_link(selector={})) is None


def test_a_gateway_mirror_carries_the_upstream_labels_and_annotations() -> None:
    remote = service(exported="true", app="web")
    remote["metadata"]["annotations"] = {
        "balancer.linkerd.io/failure-accrual": "consecutive",
        "service.kubernetes.io/topology-mode": "auto",
    }
    mirror = desired.mirror_service(remote, a_link(), "gateway")
    assert mirror["metadata"] == {
        "name": "web-east",
        "namespace": "shop",
        "labels": {
            "app": "web",
            "mirror.linkerd.io/mirrored-service": "true",
            "mirror.linkerd.io/cluster-name": "east",
        },
        "annotations": {
            "balancer.linkerd.io/failure-accrual": "consecutive",
            "mirror.linkerd.io/remote-resource-version": "7",
            "mirror.linkerd.io/remote-svc-fq-name": "web.shop.svc.cluster.local",
        },
    }


def test_a_flat_mirror_says_where_to_discover() -> None:
    labels = desired.mirror_service(service(exported="remote-discovery"), a_link(), "flat")["metadata"][
        "labels"
    ]
    assert labels["multicluster.linkerd.io/remote-discovery"] == "east"
    assert labels["multicluster.linkerd.io/remote-service"] == "web"


def test_node_ports_are_not_copied() -> None:
    remote = service(exported="true")
    remote["spec"]["ports"][0]["nodePort"] = 30080
    assert desired.mirror_service(remote, a_link(), "gateway")["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}
    ]


def test_excluded_labels_are_left_out_by_name_and_by_prefix() -> None:
    remote = service(exported="true", team="a", **{"argocd.argoproj.io/instance": "x", "app": "web"})
    link = a_link(excludedLabels=["team", "argocd.argoproj.io/*"])
    labels = desired.mirror_service(remote, link, "gateway")["metadata"]["labels"]
    assert {"team", "argocd.argoproj.io/instance"}.isdisjoint(labels)
    assert labels["app"] == "web"


GATEWAY = ("172.28.0.11",)
ENDPOINTS: dict[str, tuple[Gateway, bool, list[dict[str, Any]]]] = {
    "alive": (Gateway(GATEWAY, True), True, [{"addresses": [{"ip": "172.28.0.11"}]}]),
    "not judged yet": (Gateway(GATEWAY, None), True, [{"addresses": [{"ip": "172.28.0.11"}]}]),
    "dead": (Gateway(GATEWAY, False), True, [{"notReadyAddresses": [{"ip": "172.28.0.11"}]}]),
    "target without ready pods": (Gateway(GATEWAY, True), False, []),
    "no gateway address": (Gateway((), True), True, []),
    "several addresses": (
        Gateway(("10.0.0.1", "10.0.0.2"), True),
        True,
        [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}],
    ),
}


@pytest.mark.parametrize("case", ENDPOINTS)
def test_gateway_endpoints_follow_gateway_and_target(case: str) -> None:
    gateway, has_ready, subsets = ENDPOINTS[case]
    made = desired.mirror_endpoints(service(exported="true"), a_link(), gateway, has_ready=has_ready)
    ports = [{"name": "http", "port": 4143, "protocol": "TCP"}]
    assert made["subsets"] == [{**subset, "ports": ports} for subset in subsets]


def test_gateway_endpoints_name_the_identity_to_expect() -> None:
    made = desired.mirror_endpoints(service(exported="true"), a_link(), Gateway(GATEWAY), has_ready=True)
    assert made["metadata"]["annotations"]["mirror.linkerd.io/remote-gateway-identity"] == "gateway.identity"


def test_the_probe_stays_ready_while_the_gateway_is_dead() -> None:
    made = desired.probe_endpoints("probe-east", a_link(), Gateway(GATEWAY, alive=False))
    assert made["subsets"] == [
        {
            "addresses": [{"ip": "172.28.0.11"}],
            "ports": [{"name": "mc-probe", "port": 4191, "protocol": "TCP"}],
        }
    ]


def test_a_mirror_as_the_server_completed_it_needs_no_update() -> None:
    wanted = desired.mirror_service(service(exported="true"), a_link(), "gateway")
    stored = {
        **wanted,
        "metadata": {**wanted["metadata"], "uid": "u", "resourceVersion": "12"},
        "spec": {**wanted["spec"], "clusterIP": "10.120.0.9", "sessionAffinity": "None"},
    }
    assert desired.merged(stored, wanted) is None


def test_an_update_keeps_the_mirrors_own_address() -> None:
    wanted = desired.mirror_service(service(exported="true"), a_link(), "gateway")
    stored = {**wanted, "spec": {"clusterIP": "10.120.0.9", "ports": []}}
    changed = desired.merged(stored, wanted)
    assert changed is not None
    assert changed["spec"] == {"clusterIP": "10.120.0.9", "ports": wanted["spec"]["ports"]}


def test_an_external_name_cannot_be_mirrored() -> None:
    remote = service(exported="true")
    remote["spec"] = {"type": "ExternalName", "externalName": "example.org"}
    assert "ExternalName" in desired.why_invalid(remote)


def test_a_federated_service_is_the_union_of_its_members() -> None:
    member = service(federated="member")
    one = federated.join(None, member, a_link("east"), is_oldest=True)
    both = federated.join(one, member, a_link("north"), is_oldest=False)
    assert both["metadata"]["name"] == "web-federated"
    assert both["metadata"]["annotations"] == {
        "multicluster.linkerd.io/remote-discovery": "web@east,web@north"
    }
    assert both["metadata"]["labels"] == {"mirror.linkerd.io/mirrored-service": "true"}


def test_the_local_member_gives_a_federated_service_its_ports() -> None:
    local, remote = service(federated="member"), service(federated="member")
    local["spec"]["ports"] = [{"name": "http", "port": 81}]
    joined = federated.join_local(federated.join(None, remote, a_link(), is_oldest=True), local)
    again = federated.join(joined, remote, a_link(), is_oldest=True)
    assert again["spec"]["ports"] == [{"name": "http", "port": 81}]


def test_the_last_member_takes_the_federated_service_along() -> None:
    joined = federated.join_local(
        federated.join(None, service(federated="member"), a_link(), is_oldest=True),
        service(federated="member"),
    )
    left = federated.leave(joined, "east")
    assert left is not None
    assert federated.leave_local(left) is None


def test_every_problem_of_a_link_is_reported_at_once() -> None:
    wrong = link_object(gatewayPort="many", probeSpec={"period": "soon"}, targetClusterName="")
    with pytest.raises(LinkError) as caught:
        link_of(wrong)
    assert [
        part in str(caught.value) for part in ("gatewayPort", "probeSpec.period", "targetClusterName")
    ] == [
        True,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("3s", 3), ("250ms", 0.25), ("1m30s", 90), ("2", 2), ("0s", 0)], ids=str
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert duration(text) == seconds
