"""Judging gathered facts: each test bends the healthy lab in one place."""

import pytest

from lab.observe import verdict
from lab.observe.build import build
from lab.observe.facts import ClusterFacts, GatewayProbe, KubeFacts, Scope, WantedLink
from lab.observe.state import Fault
from lab.observe.verdict import healthy


def test_a_healthy_lab_is_ready_and_has_no_problems(observation):
    state = build(observation())
    assert state.state == "ready"
    assert healthy(state) == []
    assert [(link.from_, link.to, link.state) for link in state.links] == [
        ("west", "east", "up"),
        ("east", "west", "up"),
    ]


def test_an_unreachable_cluster_spoils_only_its_own_part(observation, west):
    state = build(observation(kube={"west": west(), "east": KubeFacts(error="no answer within 1.5 s")}))
    by_name = {cluster.name: cluster for cluster in state.clusters}
    assert by_name["west"].state == "ready"
    assert by_name["east"].state == "unreachable"
    assert by_name["east"].control_plane.state == "unknown"
    assert [problem.where for problem in state.problems] == ["cluster east"]


def test_a_paused_cluster_is_one_problem_healed_by_its_fault(observation, west):
    paused = (ClusterFacts("west"), ClusterFacts("east", paused=True))
    fault = Fault("pause-1", "pause", "east", "active", clusters=("east",))
    kube = {
        "west": west(probes={"east": GatewayProbe(False)}),
        "east": KubeFacts(error="the cluster is paused"),
    }
    state = build(observation(clusters=paused, kube=kube, faults=(fault,)))
    assert [(p.where, p.what, p.remedy) for p in state.problems] == [
        ("cluster east", "is paused", "lab fault.heal --id pause-1")
    ]


def test_a_cluster_with_another_address_is_one_problem_that_up_repairs(observation, west):
    moved = (ClusterFacts("west"), ClusterFacts("east", adrift="its API server is elsewhere"))
    kube = {"west": west(probes={"east": GatewayProbe(False)}), "east": KubeFacts(error="no answer")}
    state = build(observation(clusters=moved, kube=kube))
    assert [(p.where, p.what, p.remedy) for p in state.problems] == [
        ("cluster east", "is not as `up` left it: its API server is elsewhere", "lab up")
    ]
    assert state.to_json()["clusters"][1]["adrift"] == "its API server is elsewhere"


def test_a_link_from_an_unreachable_cluster_is_unknown_not_down(observation, west):
    state = build(observation(kube={"west": west(), "east": KubeFacts(error="x")}))
    link = next(link for link in state.links if link.from_ == "east")
    assert link.state == "unknown"


def test_a_link_that_the_topology_wants_but_nobody_made_is_missing(observation, west, make):
    state = build(observation(kube={"west": west(links=()), "east": make.kube("west")}))
    assert next(link.state for link in state.links if link.from_ == "west") == "missing"


def test_a_dead_gateway_only_degrades_a_link_that_also_carries_flat(observation, west, make):
    facts = west(probes={"east": GatewayProbe(alive=False)})
    state = build(observation(kube={"west": facts, "east": make.kube("west")}))
    link = state.links[0]
    assert (link.state, link.gateway_alive, link.latency_ms) == ("degraded", False, None)


def test_a_dead_gateway_takes_a_gateway_only_link_down(observation, west, make):
    obj = make.link("east")
    obj["spec"].pop("remoteDiscoverySelector")
    obj["spec"].pop("federatedServiceSelector")
    facts = west(probes={"east": GatewayProbe(alive=False)}, links=(obj,))
    state = build(observation(kube={"west": facts, "east": make.kube("west")}))
    assert state.links[0].modes == ("gateway",)
    assert state.links[0].state == "down"


def test_an_empty_selector_means_the_link_does_not_carry_that_mode(observation, west, make):
    obj = make.link("east")
    obj["spec"]["selector"] = {}
    state = build(observation(kube={"west": west(links=(obj,)), "east": make.kube("west")}))
    assert state.links[0].modes == ("flat", "federated")


def test_a_partition_names_itself_on_both_links(observation):
    fault = Fault("partition-1", "partition", "west | east", "active", clusters=("west",), others=("east",))
    state = build(observation(faults=(fault,)))
    assert {link.state for link in state.links} == {"partitioned"}
    assert {problem.remedy for problem in state.problems} == {"lab fault.heal --id partition-1"}


def test_a_fault_that_was_cut_short_is_a_problem(observation):
    fault = Fault("scale-1", "scale", "east/shop/front", "healing", clusters=("east",))
    state = build(observation(faults=(fault,)))
    assert [problem.where for problem in state.problems] == ["fault scale-1"]


def test_a_control_plane_part_that_is_scaled_to_zero_degrades_the_cluster(observation, west, make):
    parts = (
        make.deployment("linkerd", "linkerd-identity"),
        make.deployment("linkerd", "linkerd-destination", 0, 0),
    )
    mirror = make.deployment("linkerd-multicluster", "controller-east")
    state = build(observation(kube={"west": west(deployments=(*parts, mirror)), "east": make.kube("west")}))
    assert state.clusters[0].state == "degraded"
    assert [(p.where, p.what) for p in state.problems] == [
        ("cluster west, linkerd/linkerd-destination", "scaled to zero")
    ]


def test_a_pod_that_cannot_start_is_reported_with_the_reason_of_the_node(observation, west, make):
    waiting = {"reason": "ErrImageNeverPull", "message": "no program stands for image x"}
    stuck = make.pod("x-1", ready=False, containerStatuses=[{"name": "x", "state": {"waiting": waiting}}])
    state = build(observation(kube={"west": west(pods=(stuck,)), "east": make.kube("west")}))
    assert [(p.where, p.what) for p in state.problems] == [
        ("cluster west, pod shop/x-1", "container x: ErrImageNeverPull: no program stands for image x")
    ]


def test_failing_traffic_is_a_problem_that_names_the_errors(observation, west, make):
    traffic = (make.stats(success=0.8, errors={"timeout": 50}),)
    state = build(observation(kube={"west": west(traffic=traffic), "east": make.kube("west")}))
    assert [(p.where, p.what) for p in state.problems] == [
        ("traffic west -> http://front.shop/", "20.0% of 50/s failed (timeout x50)")
    ]


def test_traffic_is_named_after_the_service_its_url_points_to(observation):
    service = build(observation()).services[0]
    assert (service.cluster, service.namespace, service.name, service.traffic) == (
        "west",
        "shop",
        "front",
        "front",
    )


def test_mirrors_are_counted_by_mode_and_target(observation, west, make):
    def mirror(labels, annotations=None):
        return {"metadata": {"labels": labels, "annotations": annotations or {}}}

    mirrors = (
        mirror({"mirror.linkerd.io/cluster-name": "east"}),
        mirror(
            {"mirror.linkerd.io/cluster-name": "east", "multicluster.linkerd.io/remote-discovery": "east"}
        ),
        mirror({"mirror.linkerd.io/cluster-name": "north"}),
        mirror({}, {"multicluster.linkerd.io/remote-discovery": "front@east,front@north"}),
    )
    state = build(observation(kube={"west": west(mirrors=mirrors), "east": make.kube("west")}))
    assert state.links[0].mirrors == {"gateway": 1, "flat": 1, "federated": 1}


def test_a_link_object_that_the_topology_does_not_know_is_shown_too(observation, west, make):
    facts = west(links=(make.link("east"), make.link("north")))
    state = build(
        observation(kube={"west": facts, "east": make.kube("west")}, links=(WantedLink("west", "east", ()),))
    )
    assert ("west", "north") in [(link.from_, link.to) for link in state.links]


def test_all_clusters_unreachable_is_a_lab_that_is_down(observation):
    dead = KubeFacts(error="connection refused")
    assert build(observation(kube={"west": dead, "east": dead})).state == "down"


def test_events_of_all_clusters_come_newest_first(observation, west, make):
    def event(time, reason):
        about = {"kind": "Pod", "namespace": "shop", "name": "front-1"}
        return {"involvedObject": about, "lastTimestamp": time, "reason": reason, "type": "Warning"}

    kube = {
        "west": west(events=(event("2026-01-01T00:00:01Z", "Older"),)),
        "east": make.kube("west", events=(event("2026-01-01T00:00:02Z", "Newer"),)),
    }
    state = build(observation(kube=kube))
    assert [(e.reason, e.cluster, e.where) for e in state.events] == [
        ("Newer", "east", "Pod shop/front-1"),
        ("Older", "west", "Pod shop/front-1"),
    ]


@pytest.mark.parametrize(
    ("space", "status", "said"),
    [
        pytest.param("shop", {"phase": "Pending"}, ["is not ready: Pending"], id="not started"),
        pytest.param(
            "shop",
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "message": "containers not ready: [front]"}
                ]
            },
            ["is not ready: containers not ready: [front]"],
            id="probe fails",
        ),
        pytest.param("shop", {"conditions": [{"type": "Ready", "status": "True"}]}, [], id="ready"),
        pytest.param("shop", {"phase": "Succeeded"}, [], id="done"),
        pytest.param("linkerd", {"phase": "Pending"}, [], id="part of the mesh, judged by Deployment"),
    ],
)
def test_an_apps_pod_that_is_not_ready_is_a_problem(
    space: str, status: dict[str, object], said: list[str]
) -> None:
    pod = {"metadata": {"name": "front-1", "namespace": space}, "status": status}
    assert [problem.what for problem in verdict.pod_problems("west", [pod])] == said


def test_a_cluster_that_is_to_have_no_mesh_is_ready_without(observation, west):
    bare = ClusterFacts("west", scope=Scope(mesh="none"))
    seen = build(observation(clusters=(bare,), kube={"west": west(deployments=(), links=())}, links=()))
    assert (seen.clusters[0].state, seen.clusters[0].control_plane.state) == ("ready", "none")
    assert not seen.problems
