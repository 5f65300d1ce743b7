"""The rules of the model: precedence, attachment, remote clusters, route status, what is redone."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.controlplane.gatewayapi.status import CONTROLLER, desired_parents
from lab.controlplane.model.graph import Graph, Reader
from lab.controlplane.model.ir import PortRef
from lab.controlplane.model.matches import http_match, http_rank
from lab.controlplane.model.pools import endpoints
from lab.controlplane.model.services import seconds
from lab.controlplane.model.world import World
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.resources import CLUSTER, ENDPOINTS, LISTENER, ROUTES, ResourceSet, resource
from lab.controlplane.xds.snapshot import DanglingReference, Snapshot
from lab.controlplane.xds.subscription import Subscription
from lab.controlplane.xds.translate import Proxy, snapshot

PATHS = st.sampled_from(["/", "/a", "/a/b", "/abc"])
MATCHES = st.fixed_dictionaries(
    {
        "path": st.fixed_dictionaries(
            {"type": st.sampled_from(["Exact", "PathPrefix"]), "value": PATHS},
        ),
        "method": st.sampled_from(["", "GET"]),
        "headers": st.sampled_from([[], [{"name": "a", "value": "1"}]]),
    }
)
CLIENT = {"kind": "Pod", "metadata": {"name": "client", "namespace": "shop"}, "spec": {}}


def service(name: str, **meta: Any) -> dict[str, Any]:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80}]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "shop", **meta}, "spec": spec}


def slices(name: str, *addresses: str) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


def route(kind: str, name: str, backend: str, **spec: Any) -> dict[str, Any]:
    parents = [{"group": "", "kind": "Service", "name": "echo"}]
    rules = [{"backendRefs": [{"name": backend, "port": 80}]}]
    meta = {"name": name, "namespace": "shop", "generation": 2}
    return {"kind": kind, "metadata": meta, "spec": {"parentRefs": parents, "rules": rules, **spec}}


@given(MATCHES, MATCHES)
def test_an_exact_path_wins_over_any_prefix(one: dict[str, Any], two: dict[str, Any]) -> None:
    kinds = one["path"]["type"], two["path"]["type"]
    if kinds == ("Exact", "PathPrefix"):
        assert http_rank(http_match(one)) < http_rank(http_match(two))


@given(MATCHES, MATCHES)
def test_a_longer_prefix_wins_whatever_else_is_matched(one: dict[str, Any], two: dict[str, Any]) -> None:
    paths = one["path"], two["path"]
    if all(path["type"] == "PathPrefix" for path in paths):
        shorter, longer = sorted((one, two), key=lambda match: len(match["path"]["value"]))
        if len(shorter["path"]["value"]) < len(longer["path"]["value"]):
            assert http_rank(http_match(longer)) < http_rank(http_match(shorter))


def test_a_trailing_slash_of_a_prefix_means_nothing() -> None:
    assert http_match({"path": {"value": "/a/"}}) == http_match({"path": {"value": "/a"}})


@pytest.mark.parametrize(("text", "value"), [("1h2m", 3720), ("500ms", 0.5), ("0s", 0), ("soon", 0)])
def test_durations_are_read_as_the_api_writes_them(text: str, value: float) -> None:
    assert seconds(text) == value


def test_endpoints_of_a_flat_mirror_stay_when_nothing_is_heard_of_the_remote_cluster() -> None:
    world = World()
    marks = {
        "multicluster.linkerd.io/remote-discovery": "east",
        "multicluster.linkerd.io/remote-service": "echo",
    }
    world.load([service("echo-east", labels=marks)])
    world.load([service("echo"), slices("echo", "10.9.0.1")], "east")
    world.set_cluster("east", None)
    found = world.graph.get(endpoints, PortRef("shop", "echo-east", 80))
    assert [endpoint.address for endpoint in found] == ["10.9.0.1"]


def test_an_endpoint_change_rebuilds_endpoints_only() -> None:
    world = World()
    world.load([CLIENT, service("echo"), slices("echo", "10.9.0.1")])
    before = snapshot(world, Proxy("shop", "client"), Settings())
    world.put(slices("echo", "10.9.0.1"), slices("echo", "10.9.0.2"))
    after = snapshot(world, Proxy("shop", "client"), Settings())
    assert [before.of(kind) is after.of(kind) for kind in (CLUSTER, LISTENER, ROUTES)] == [True] * 3
    assert before.of(ENDPOINTS) != after.of(ENDPOINTS)


def test_a_write_that_does_not_matter_changes_nothing() -> None:
    changes: list[None] = []
    world = World(lambda: changes.append(None))
    world.load([service("echo", resourceVersion="1")])
    before = len(changes)
    world.put(service("echo", resourceVersion="1"), service("echo", resourceVersion="2"))
    assert len(changes) == before


def test_a_grpc_route_takes_the_port_from_an_http_route() -> None:
    world = World()
    web = route("HTTPRoute", "web", "echo")
    world.load([service("echo"), web, route("GRPCRoute", "calls", "echo")])
    (entry,) = desired_parents(Reader(world.graph), web, "now")
    assert [c["reason"] for c in entry["conditions"]] == ["Conflicted", "ResolvedRefs"]


def test_a_missing_backend_shows_in_the_status_with_the_generation_it_was_seen_in() -> None:
    world = World()
    broken = route("HTTPRoute", "web", "gone")
    world.load([service("echo"), broken])
    (entry,) = desired_parents(Reader(world.graph), broken, "now")
    resolved = entry["conditions"][1]
    assert (entry["controllerName"], resolved["reason"], resolved["observedGeneration"]) == (
        CONTROLLER,
        "BackendNotFound",
        2,
    )


def test_a_status_that_says_the_same_keeps_its_time_and_other_controllers_entries() -> None:
    world = World()
    web = route("HTTPRoute", "web", "echo")
    world.load([service("echo"), web])
    other = {"controllerName": "example.com/other", "parentRef": {"name": "x"}}
    first = desired_parents(Reader(world.graph), {**web, "status": {"parents": [other]}}, "then")
    assert desired_parents(Reader(world.graph), {**web, "status": {"parents": first}}, "now") == first
    assert first[0] == other


def test_a_snapshot_names_the_reference_that_dangles(world_of: Callable[[str], World]) -> None:
    world = World()
    world.load([CLIENT, service("echo")])
    whole = snapshot(world, Proxy("shop", "client"), Settings())
    broken = Snapshot({**whole.types, ENDPOINTS: ResourceSet()})
    with pytest.raises(DanglingReference, match="outbound/shop/echo/80 refers to endpoints shop/echo/80"):
        broken.check()


def test_a_rule_runs_again_only_after_what_it_read_has_changed() -> None:
    graph, runs = Graph(), []

    def inner(reader: Reader, name: str) -> Any:
        runs.append(name)
        return reader.cell(name)

    def outer(reader: Reader) -> Any:
        return [reader.get(inner, "a"), reader.get(inner, "b")]

    graph.set(("a",), 1)
    graph.set(("b",), 2)
    assert graph.get(outer) == [1, 2]
    graph.set(("a",), 3)
    assert graph.get(outer) == [3, 2]
    assert runs == ["a", "b", "a"]


def test_equal_resources_are_not_sent_again() -> None:
    followed = Subscription.opened([], {})
    old, new = (ResourceSet([resource("a", snapshot_message())]) for _ in range(2))
    followed.record(followed.changes(old), old)
    assert not followed.changes(new)


def test_a_name_that_does_not_exist_is_answered_as_removed_once() -> None:
    followed = Subscription.opened(["ghost"], {})
    nothing = ResourceSet()
    first = followed.changes(nothing)
    followed.record(first, nothing)
    assert (first.removed, bool(followed.changes(ResourceSet()))) == (("ghost",), False)


def snapshot_message() -> Any:
    from envoy.config.cluster.v3 import cluster_pb2

    return cluster_pb2.Cluster(name="a")
