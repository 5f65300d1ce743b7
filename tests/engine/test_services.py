"""Service proxy: which endpoints a Service has (pure), and what the kernel does with the rules (real)."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.engines.embedded.nft.attributes import text
from lab.engines.embedded.services import rules
from lab.engines.embedded.services.model import Backend, Frontend, service_ports


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": "10.120.0.7", "ports": ports, **spec},
        "status": {},
    }


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def slice_of(*endpoints: dict[str, Any], port: int = 8080) -> dict[str, Any]:
    ports = [{"name": "http", "port": port, "protocol": "TCP"}]
    return {"addressType": "IPv4", "ports": ports, "endpoints": list(endpoints)}


def test_ready_endpoints_serve_and_others_do_not() -> None:
    slices = [slice_of(endpoint("10.20.0.2", ready=True), endpoint("10.20.0.3", ready=False))]
    (port,) = service_ports(service(), slices)
    assert port.backends == (Backend("10.20.0.2", 8080),)


def test_an_endpoint_without_conditions_counts_as_ready() -> None:
    (port,) = service_ports(service(), [slice_of(endpoint("10.20.0.2"))])
    assert port.backends == (Backend("10.20.0.2", 8080),)


def test_ending_endpoints_serve_while_nothing_else_does() -> None:
    ending = endpoint("10.20.0.2", ready=False, serving=True, terminating=True)
    (port,) = service_ports(service(), [slice_of(ending)])
    assert port.backends == (Backend("10.20.0.2", 8080),)


def test_a_service_without_ready_endpoints_has_no_backends() -> None:
    (port,) = service_ports(service(), [slice_of(endpoint("10.20.0.2", ready=False))])
    assert port.backends == ()


def test_a_named_port_may_be_another_number_in_every_slice() -> None:
    slices = [slice_of(endpoint("10.20.0.2")), slice_of(endpoint("10.20.0.3"), port=9090)]
    (port,) = service_ports(service(), slices)
    assert port.backends == (Backend("10.20.0.2", 8080), Backend("10.20.0.3", 9090))


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, 0),
        ({"sessionAffinity": "None"}, 0),
        ({"sessionAffinity": "ClientIP"}, 10800),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}},
            5,
        ),
    ],
)
def test_affinity_lasts_as_long_as_the_service_says(spec: dict[str, Any], seconds: int) -> None:
    (port,) = service_ports(service(**spec), [slice_of(endpoint("10.20.0.2"))])
    assert port.affinity == seconds


HERE_AND_AWAY = slice_of({**endpoint("10.20.0.2"), "nodeName": "here"}, endpoint("192.0.2.1"))


def test_a_local_policy_inside_leaves_out_endpoints_elsewhere() -> None:
    (port,) = service_ports(service(internalTrafficPolicy="Local"), [HERE_AND_AWAY], "here")
    assert port.backends == (Backend("10.20.0.2", 8080),)


def test_policies_that_differ_make_two_chains() -> None:
    balancer = service(externalTrafficPolicy="Local", externalIPs=["198.51.100.1"])
    inside, outside = service_ports(balancer, [HERE_AND_AWAY], "here")
    assert (len(inside.backends), inside.frontends) == (2, {Frontend("10.120.0.7", "TCP", 80)})
    assert (len(outside.backends), outside.frontends) == (1, {Frontend("198.51.100.1", "TCP", 80)})


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName", "clusterIP": ""}])
def test_services_without_an_address_are_left_out(spec: dict[str, Any]) -> None:
    assert service_ports(service(**spec), [slice_of(endpoint("10.20.0.2"))]) == ()


def test_a_load_balancer_is_also_reached_at_its_ingress_address() -> None:
    balancer = service(type="LoadBalancer")
    balancer["status"] = {"loadBalancer": {"ingress": [{"ip": "172.28.0.10"}]}}
    (port,) = service_ports(balancer, [slice_of(endpoint("10.20.0.2"))])
    assert Frontend("172.28.0.10", "TCP", 80) in port.frontends


def test_an_equal_state_changes_nothing() -> None:
    (port,) = service_ports(service(), [slice_of(endpoint("10.20.0.2"))])
    same = {port.chain: port}
    assert rules.update(same, same, Counter({"10.20.0.2": 1})).messages == []


def test_an_endpoint_change_leaves_the_maps_alone() -> None:
    (old,) = service_ports(service(), [slice_of(endpoint("10.20.0.2"))])
    (new,) = service_ports(service(), [slice_of(endpoint("10.20.0.2"), endpoint("10.20.0.3"))])
    change = rules.update({old.chain: old}, {new.chain: new}, Counter({"10.20.0.2": 1, "10.20.0.3": 1}))
    in_map = text(2, rules.SERVICES.name)
    assert not [body for _kind, _flags, body in change.messages if in_map in body]


PROGRAM = """
import json, sys, time
from collections import Counter
from lab.engines.embedded.nft.transaction import Nft
from lab.engines.embedded.services import rules
from lab.engines.embedded.services.model import Backend, Frontend, ServicePort

nft = Nft()
nft.commit(rules.base("10.120.0.0/16"))
ports = {}
for chain, protocol, fronts, node_port, backs, affinity in json.loads(sys.argv[1]):
    frontends = frozenset(Frontend(address, protocol, port) for address, port in fronts)
    backends = tuple(Backend(*b) for b in backs)
    ports[chain] = ServicePort(chain, protocol, frontends, node_port, backends, affinity)
hairpins = Counter()
nft.commit(rules.update({}, ports, hairpins))
nft.commit(rules.update(ports, {}, hairpins))  # everything can be taken away again
nft.commit(rules.update({}, ports, hairpins))
open(sys.argv[2], "w").close()
time.sleep(600)
"""


class Programmed:
    """Two servers behind one Service of cluster west."""

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        self.servers = servers
        self.backends = [(server["ip"], 8080) for server in servers]


@pytest.fixture
async def programmed(rig: Any, tmp_path: Path) -> Programmed:
    made = Programmed([await rig.serve("west", word) for word in ("one", "two")])
    ports = [
        ["both", "TCP", [("10.120.0.7", 80), ("172.28.0.10", 80)], 30080, made.backends, 0],
        ["first", "TCP", [("10.120.0.8", 80)], 0, made.backends[:1], 0],
        ["sticky", "TCP", [("10.120.0.9", 80)], 0, made.backends, 600],
        ["nobody", "TCP", [("198.51.100.1", 80)], 0, [], 0],
    ]
    done = tmp_path / "programmed"
    argv = [sys.executable, "-c", PROGRAM, json.dumps(ports), str(done)]
    fields = {"cluster": "west", "name": f"proxy-{tmp_path.name}", "entry": "", "argv": argv}
    await rig.control.call("start-component", **fields, env={"PATH": os.environ["PATH"]})
    await _until_exists(done)
    return made


async def _until_exists(path: Path) -> None:
    async def there() -> bool:
        return path.name in os.listdir(path.parent)

    await until(there, timeout=10, what=str(path), every=0.01)


@pytest.fixture
async def client(rig: Any) -> Any:
    return await rig.start("west", await rig.pod("west"), ["sleep", "600"])


@pytest.mark.netns
async def test_a_cluster_ip_leads_to_every_endpoint(rig: Any, programmed: Programmed, client: Any) -> None:
    answers = {(await rig.ask(client, "10.120.0.7", 80)).split()[0] for _ in range(16)}
    assert answers == {"one", "two"}


@pytest.mark.netns
async def test_the_callers_address_is_kept(rig: Any, programmed: Programmed, client: Any) -> None:
    seen = await rig.control.call("list")
    pods = {p["pod_uid"]: p["ip"] for c in seen["clusters"] for p in c["pods"]}
    assert await rig.ask(client, "10.120.0.8", 80) == f"one to {pods[client['pod_uid']]}"


@pytest.mark.netns
async def test_a_load_balancer_address_is_reached_from_another_cluster(
    rig: Any, programmed: Programmed
) -> None:
    far = await rig.start("east", await rig.pod("east"), ["sleep", "600"])
    assert (await rig.ask(far, "172.28.0.10", 80)).endswith("to 172.28.0.11")


@pytest.mark.netns
async def test_a_node_port_is_reached_from_another_cluster(rig: Any, programmed: Programmed) -> None:
    far = await rig.start("east", await rig.pod("east"), ["sleep", "600"])
    assert (await rig.ask(far, "172.28.0.10", 30080)).split()[0] in ("one", "two")


@pytest.mark.netns
async def test_a_pod_reaches_itself_through_its_service(rig: Any, programmed: Programmed) -> None:
    itself = await rig.start("west", {"pod_uid": programmed.servers[0]["pod_uid"]}, ["sleep", "600"])
    assert (await rig.ask(itself, "10.120.0.8", 80)).startswith("one")


@pytest.mark.netns
async def test_a_service_address_without_endpoints_refuses(
    rig: Any, programmed: Programmed, client: Any
) -> None:
    assert await rig.ask(client, "10.120.0.99", 80) == "ConnectionRefusedError"


@pytest.mark.netns
async def test_a_client_stays_with_its_backend(rig: Any, programmed: Programmed, client: Any) -> None:
    answers = {(await rig.ask(client, "10.120.0.9", 80)).split()[0] for _ in range(16)}
    assert len(answers) == 1


@pytest.mark.netns
async def test_an_outside_address_without_endpoints_refuses(
    rig: Any, programmed: Programmed, client: Any
) -> None:
    assert await rig.ask(client, "198.51.100.1", 80) == "ConnectionRefusedError"


CHANGES = """
from collections import Counter
from lab.engines.embedded.nft.transaction import Nft
from lab.engines.embedded.services import rules
from lab.engines.embedded.services.model import Backend, Frontend, ServicePort

A, B, C = (Backend(f"10.20.0.{i}", 80) for i in (2, 3, 4))
def port(backends, affinity):
    front = frozenset({Frontend("10.120.0.7", "TCP", 80)})
    return {"c": ServicePort("c", "TCP", front, 30080, tuple(backends), affinity)}
nft, hairpins = Nft(), Counter()
nft.commit(rules.base("10.120.0.0/16"))
empty = len(nft.rules(rules.TABLE))
states = [{}, port([A, B], 0), port([A, B], 10), port([B, C], 10), port([B, C], 20), port([], 20),
          port([A], 20), port([A, B], 0), port([], 10), {}, port([A, B], 5), {}]
for old, new in zip(states, states[1:]):
    nft.commit(rules.update(old, new, hairpins))
print(len(nft.rules(rules.TABLE)) - empty)
"""


@pytest.mark.netns
async def test_the_kernel_takes_every_change_of_affinity_and_endpoints(rig: Any, client: Any) -> None:
    """And nothing is left of a port that has gone."""
    assert await rig.run(client, sys.executable, "-c", CHANGES) == "0\n"
