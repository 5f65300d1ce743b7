"""From what is there to what must be there: no step too many, none missing, in an order that works."""

from dataclasses import replace

import pytest

from lab.plan.desired import Desired, LinkState, MeshState, desired, failover_targets
from lab.plan.steps import Observed, Step, Verb, diff
from lab.topology.load import load, parse
from lab.topology.model import Topology

TOPOLOGIES = ["two-clusters", "gateway", "flat", "mixed", "three-clusters", "overlapping-cidr"]


def seen(wanted: Desired) -> Observed:
    """A live lab that is just as wanted."""
    return Observed(wanted.clusters, wanted.mesh, wanted.links, wanted.apps, wanted.manifests, wanted.traffic)


def ids(steps: tuple[Step, ...]) -> list[str]:
    return [step.id for step in steps]


def two(text: str = "") -> Topology:
    return parse(f"name: x\nclusters: {{west: {{}}, east: {{}}}}\n{text}", "test")


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_lab_that_is_as_wanted_needs_no_step(name: str) -> None:
    wanted = desired(load(name), manifests="kind: Namespace")
    assert diff(wanted, seen(wanted)) == ()


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_an_empty_machine_gets_everything_once(name: str) -> None:
    wanted = desired(load(name), manifests="kind: Namespace")
    steps = diff(wanted, Observed())
    parts = (wanted.clusters, wanted.mesh, wanted.links, wanted.apps, wanted.manifests, wanted.traffic)
    assert len(set(ids(steps))) == len(steps) == sum(map(len, parts))


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_step_waits_only_for_steps_before_it(name: str) -> None:
    done: set[str] = set()
    for step in diff(desired(load(name)), Observed()):
        assert set(step.after) <= done
        done.add(step.id)


def test_a_link_waits_for_the_mesh_of_both_its_clusters() -> None:
    steps = diff(desired(two("links: [west -> east]")), Observed())
    link = next(step for step in steps if step.verb is Verb.LINK)
    assert link.after == ("install-mesh/west", "install-mesh/east")


def test_a_stopped_cluster_is_started_and_nothing_else_is_touched_in_the_others() -> None:
    wanted = desired(two())
    left = seen(wanted)
    steps = diff(wanted, replace(left, clusters={"west": wanted.clusters["west"]}))
    assert ids(steps) == ["start-cluster/east"]


def test_links_are_made_anew_once_an_end_has_another_version_of_the_mesh() -> None:
    wanted = desired(two("links: [west -> east]"))
    mesh = {**wanted.mesh, "east": MeshState("edge-26.7.1", wanted.mesh["east"].config)}
    link = next(step for step in diff(wanted, replace(seen(wanted), mesh=mesh)) if step.verb is Verb.LINK)
    assert link.reason == "east gets another version of the mesh"
    assert link.after == ("install-mesh/east",)


def test_another_mesh_version_is_installed_and_the_reason_names_both() -> None:
    wanted = desired(two())
    old = MeshState("2.14", wanted.mesh["west"].config)
    steps = diff(wanted, replace(seen(wanted), mesh={**wanted.mesh, "west": old}))
    assert [(step.id, step.reason) for step in steps] == [
        ("install-mesh/west", "is version 2.14, wanted latest")
    ]


def test_a_link_with_other_modes_is_linked_again_and_the_reason_names_both() -> None:
    wanted = desired(two("links: [{from: west, to: east, modes: [flat]}]"))
    steps = diff(wanted, replace(seen(wanted), links={("west", "east"): LinkState(("gateway",))}))
    assert [step.reason for step in steps] == ["carries gateway, wanted flat"]


def test_what_left_the_topology_is_taken_away_before_anything_is_added() -> None:
    before = seen(desired(two("links: [west -> east]\napps: [{app: echo}]")))
    steps = diff(desired(two("links: [east -> west]\napps: [{app: shop}]")), before)
    assert ids(steps) == [
        "remove-app/echo/west",
        "remove-app/echo/east",
        "unlink/west/east",
        "link/east/west",
        "deploy-app/shop/west",
        "deploy-app/shop/east",
    ]


def test_a_cluster_with_other_addresses_is_stopped_and_started() -> None:
    before = seen(desired(parse("name: x\nclusters: {west: {pods: 10.9.0.0/16}}", "test")))
    steps = diff(desired(parse("name: x\nclusters: {west: {}}", "test")), before)
    assert [step.verb for step in steps] == [Verb.STOP_CLUSTER, Verb.START_CLUSTER, Verb.INSTALL_MESH]


def test_a_changed_app_is_deployed_in_the_clusters_it_runs_in() -> None:
    before = seen(desired(two("apps: [{app: shop}, {app: echo, clusters: [west]}]")))
    wanted = desired(two("apps: [{app: shop}, {app: echo, clusters: [west], replicas: 2}]"))
    assert ids(diff(wanted, before)) == ["deploy-app/echo/west"]


def test_a_filter_leaves_out_what_needs_a_cluster_that_is_not_there() -> None:
    steps = diff(desired(two("links: [west <-> east]\napps: [{app: echo}]")), Observed(), ["west"])
    assert ids(steps) == ["start-cluster/west", "install-mesh/west", "deploy-app/echo/west"]


def test_callers_fail_over_to_linked_clusters_that_give_them_a_mirror() -> None:
    topology = load("three-clusters")
    assert failover_targets(topology, topology.apps[0], "west") == ("east", "asia")


def test_without_failover_callers_stay() -> None:
    topology = two("links: [west <-> east]\napps: [{app: shop, export: flat}]")
    assert failover_targets(topology, topology.apps[0], "west") == ()


@pytest.mark.parametrize("provider", ["none", "user"])
def test_a_mesh_that_is_not_the_labs_is_not_installed_and_apps_wait_for_their_namespaces(
    provider: str,
) -> None:
    asked = parse(
        f"name: x\nengine: existing\nmesh: {provider}\nclusters: {{west: {{}}}}\napps: [{{app: echo}}]",
        "test",
    )
    steps = diff(desired(asked), Observed())
    assert [step.verb for step in steps] == [Verb.START_CLUSTER, Verb.PREPARE, Verb.DEPLOY_APP]
    assert ids(steps)[1] in steps[2].after
    assert diff(desired(asked), seen(desired(asked))) == ()
