"""What a container is told about its place: host name, resolver, environment, and as whom it runs. Pure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.pocket.node.config import NodeConfig
from lab.pocket.node.environment import environment, expand
from lab.pocket.node.fields import BadReference
from lab.pocket.node.hostfiles import BadHostname, hostname, hosts, resolv_conf
from lab.pocket.node.identity import Identity, identity
from lab.pocket.node.serviceenv import service_variables

Object = dict[str, Any]
NOWHERE = Path("/nowhere")
CONFIG = NodeConfig(
    cluster="west",
    name="west-node",
    ip="172.28.0.10",
    pod_cidr="10.20.0.0/16",
    dns_ip="10.120.0.10",
    kubelet_socket=NOWHERE,
    pods_dir=NOWHERE,
    ca_file=NOWHERE,
    api_host="10.120.0.1",
)


def pod(**spec: Any) -> Object:
    return {"metadata": {"name": "web-0", "namespace": "shop", "uid": "u"}, "spec": spec}


def resolver(**spec: Any) -> list[str]:
    return resolv_conf(pod(**spec), CONFIG).splitlines()


CLUSTER_FIRST = [
    "nameserver 10.120.0.10",
    "search shop.svc.cluster.local svc.cluster.local cluster.local",
    "options ndots:5",
]


@pytest.mark.parametrize("policy", ["ClusterFirst", "ClusterFirstWithHostNet"])
def test_resolver_of_a_cluster_policy_searches_the_cluster(policy: str) -> None:
    assert resolver(dnsPolicy=policy) == CLUSTER_FIRST


def test_resolver_of_the_node_searches_nothing() -> None:
    assert resolver(dnsPolicy="Default") == ["nameserver 10.120.0.10"]


def test_policy_none_takes_all_from_the_pod() -> None:
    own = {"nameservers": ["192.0.2.1"], "searches": ["example.com"], "options": [{"name": "edns0"}]}
    assert resolver(dnsPolicy="None", dnsConfig=own) == [
        "nameserver 192.0.2.1",
        "search example.com",
        "options edns0",
    ]


def test_the_pods_own_configuration_adds_to_the_policy_without_repeating_it() -> None:
    own = {
        "nameservers": ["10.120.0.10", "192.0.2.1"],
        "searches": ["cluster.local", "example.com"],
        "options": [{"name": "ndots", "value": "1"}],
    }
    assert resolver(dnsConfig=own) == [
        "nameserver 10.120.0.10",
        "nameserver 192.0.2.1",
        "search shop.svc.cluster.local svc.cluster.local cluster.local example.com",
        "options ndots:1",
    ]


def test_host_name_is_the_short_one_even_with_a_subdomain() -> None:
    assert hostname(pod(subdomain="db"), "cluster.local") == "web-0"


def test_host_name_is_the_whole_one_if_the_pod_asks_for_it() -> None:
    asked = pod(subdomain="db", setHostnameAsFQDN=True)
    assert hostname(asked, "cluster.local") == "web-0.db.shop.svc.cluster.local"


def test_whole_host_name_that_the_kernel_does_not_take_is_told() -> None:
    with pytest.raises(BadHostname, match="is too long"):
        hostname(pod(hostname="x" * 40, subdomain="db", setHostnameAsFQDN=True), "cluster.local")


def test_hosts_file_has_the_pods_names_and_its_aliases() -> None:
    aliases = [{"ip": "192.0.2.7", "hostnames": ["foo.local", "bar.local"]}]
    text = hosts(pod(subdomain="db", hostAliases=aliases), "10.20.0.5", "cluster.local")
    assert text.splitlines()[-2:] == [
        "10.20.0.5\tweb-0.db.shop.svc.cluster.local\tweb-0",
        "192.0.2.7\tfoo.local bar.local",
    ]


def service(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"clusterIP": "10.120.0.9", **spec}}


def test_services_are_told_in_the_environment() -> None:
    ports = [{"name": "http-web", "port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    assert service_variables([service("my-db", ports=ports)]) == {
        "MY_DB_SERVICE_HOST": "10.120.0.9",
        "MY_DB_SERVICE_PORT": "80",
        "MY_DB_SERVICE_PORT_HTTP_WEB": "80",
        "MY_DB_PORT": "tcp://10.120.0.9:80",
        "MY_DB_PORT_80_TCP": "tcp://10.120.0.9:80",
        "MY_DB_PORT_80_TCP_PROTO": "tcp",
        "MY_DB_PORT_80_TCP_PORT": "80",
        "MY_DB_PORT_80_TCP_ADDR": "10.120.0.9",
        "MY_DB_PORT_53_UDP": "udp://10.120.0.9:53",
        "MY_DB_PORT_53_UDP_PROTO": "udp",
        "MY_DB_PORT_53_UDP_PORT": "53",
        "MY_DB_PORT_53_UDP_ADDR": "10.120.0.9",
    }


def test_headless_services_are_not_told() -> None:
    assert service_variables([service("db", clusterIP="None", ports=[{"port": 1}])]) == {}


OBJECTS = {("ConfigMap", "conf"): {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}}}


def env(*entries: Object, sources: list[Object] | None = None) -> dict[str, str]:
    container = {"name": "app", "env": list(entries), "envFrom": sources or []}
    return environment(pod(containers=[container]), container, {}, lambda k, n: OBJECTS.get((k, n)))


def test_all_of_a_config_map_may_come_with_a_prefix() -> None:
    assert env(sources=[{"prefix": "P_", "configMapRef": {"name": "conf"}}]) == {"P_a": "1", "P_b": "2"}


def test_what_is_optional_may_be_absent() -> None:
    key = {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}}
    assert (
        env({"name": "A", "valueFrom": key}, sources=[{"secretRef": {"name": "no", "optional": True}}]) == {}
    )


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "no", "key": "k"}}, 'secret "no" not found'),
        ({"resourceFieldRef": {"containerName": "no", "resource": "limits.cpu"}}, "container no not found"),
        ({"fileKeyRef": {"volumeName": "v"}}, "valueFrom of type fileKeyRef is not supported here"),
    ],
)
def test_what_is_not_there_is_named(reference: Object, text: str) -> None:
    with pytest.raises(BadReference, match=text):
        env({"name": "A", "valueFrom": reference})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("$(A)-$(B)", "1-$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("$(A)$(A)", "11")],
)
def test_references_are_expanded_as_upstream_does(text: str, wanted: str) -> None:
    assert expand(text, {"A": "1"}) == wanted


@pytest.mark.parametrize(
    ("whole", "own", "wanted"),
    [
        pytest.param({}, {}, Identity(), id="root"),
        pytest.param({"runAsUser": 1000, "runAsGroup": 3}, {}, Identity(1000, 3), id="the pod's"),
        pytest.param({"runAsUser": 1000}, {"runAsUser": 0}, Identity(), id="the container's goes first"),
        pytest.param({"runAsNonRoot": True}, {}, Identity(65532), id="anybody but root"),
        pytest.param(
            {"fsGroup": 5, "supplementalGroups": [6]}, {}, Identity(groups=(6, 5)), id="further groups"
        ),
    ],
)
def test_identity(whole: Object, own: Object, wanted: Identity) -> None:
    assert identity(pod(securityContext=whole), {"securityContext": own}, many_users=True) == wanted


def test_root_that_must_not_be_root_is_refused() -> None:
    with pytest.raises(BadReference, match="breaks non-root policy"):
        identity(pod(securityContext={"runAsUser": 0, "runAsNonRoot": True}), {}, many_users=True)


def test_another_user_in_the_lab_of_an_ordinary_user_is_refused() -> None:
    with pytest.raises(BadReference, match="cannot run as user 7"):
        identity(pod(securityContext={"runAsUser": 7}), {}, many_users=False)


def test_a_node_without_limits_says_so() -> None:
    from lab.pocket.node.registration import node_status

    status = node_status(replace(CONFIG, why_no_limits="no control groups"), "2026-01-01T00:00:00Z")
    said = next(c for c in status["conditions"] if c["type"] == "LimitsNotEnforced")
    assert "no control groups" in said["message"]
