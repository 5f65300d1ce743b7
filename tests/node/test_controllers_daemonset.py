"""DaemonSets: what the plan does next, and a whole one on the real API server."""

from typing import Any

import pytest

from lab.kube.kinds import DAEMON_SETS, NODES, PODS
from lab.pocket.controllers.daemons import View, plan, pod_of, status
from tests.node.cluster import Cluster
from tests.node.workloads import pod_status, stored, template, workload

Object = dict[str, Any]


def owner(rolling: Object | None = None, **spec: Any) -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling or {"maxUnavailable": 1, "maxSurge": 0}}
    return stored(workload("DaemonSet", **{"updateStrategy": strategy, **spec}))


def node(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "labels": {"zone": name}}, "spec": spec}


def tainted(name: str, effect: str) -> Object:
    return node(name, taints=[{"key": "broken", "effect": effect}])


A, B = node("a"), node("b")


def view(own: Object, nodes: list[Object], *pods: str) -> View:
    """Pods are told as words: node, revision (new or old), then what is wrong with it, if anything."""
    bare = View(own, "new", nodes)
    made = []
    for number, words in enumerate(pods):
        where, revision, *trouble = words.split()
        pod = pod_of(View(own, revision, nodes), where)
        pod["metadata"] |= {"name": words, "creationTimestamp": f"2026-01-01T00:00:{number:02d}Z"}
        if "leaving" in trouble:
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        phase = "Failed" if "failed" in trouble else "Running"
        made.append(pod_status(pod, phase, ready="unready" not in trouble))
    return View(own, bare.hash, nodes, made, 0.0)


def todo(found: View) -> tuple[list[str], list[str]]:
    step = plan(found)
    return list(step.create), [p["metadata"]["name"] for p in (*step.failed, *step.delete)]


SURGE = {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("found", "create", "delete"),
    [
        pytest.param(view(owner(), [A, B], "a new"), ["b"], [], id="one on every node"),
        pytest.param(view(owner(), [A], "a new leaving"), [], [], id="not before the last is gone"),
        pytest.param(view(owner(), [A], "a new", "c new"), [], ["c new"], id="none on a node that went"),
        pytest.param(view(owner(), [A], "a new failed"), [], ["a new failed"], id="a failed one anew"),
        pytest.param(view(owner(), [tainted("a", "NoSchedule")]), [], [], id="none on a tainted node"),
        pytest.param(
            view(owner(), [tainted("a", "NoSchedule")], "a new"), [], [], id="but one there may stay"
        ),
        pytest.param(
            view(owner(), [tainted("a", "NoExecute")], "a new"), [], ["a new"], id="unless it must go"
        ),
        pytest.param(view(owner(), [A, B], "a old", "b old"), [], ["a old"], id="update one at a time"),
        pytest.param(
            view(owner(), [A, B], "a new unready", "b old"), [], [], id="update waits until it is available"
        ),
        pytest.param(
            view(owner(), [A, B], "a new", "b old unready"), [], ["b old unready"], id="useless ones go first"
        ),
        pytest.param(
            view(owner({"maxUnavailable": "100%"}), [A, B], "a old", "b old"),
            [],
            ["a old", "b old"],
            id="as many as maxUnavailable",
        ),
        pytest.param(view(owner(SURGE), [A, B], "a old", "b old"), ["a"], [], id="surge: the new one first"),
        pytest.param(
            view(owner(SURGE), [A, B], "a old", "a new unready", "b old"), [], [], id="surge: then wait"
        ),
        pytest.param(
            view(owner(SURGE), [A, B], "a old", "a new", "b old"),
            [],
            ["a old"],
            id="surge: then the old goes",
        ),
        pytest.param(
            view(owner(updateStrategy={"type": "OnDelete"}), [A], "a old"), [], [], id="on delete only"
        ),
    ],
)
def test_plan(found: View, create: list[str], delete: list[str]) -> None:
    assert todo(found) == (create, delete)


def test_node_selector_narrows_the_nodes() -> None:
    own = owner(template=template(nodeSelector={"zone": "b"}))
    assert plan(view(own, [A, B])).create == ("b",)


def test_status_counts_nodes() -> None:
    found = status(view(owner(), [A, B, tainted("c", "NoSchedule")], "a new", "b old unready", "c new"), 0)
    counts = {k: v for k, v in found.items() if k not in ("collisionCount", "observedGeneration")}
    assert counts == {
        "desiredNumberScheduled": 2,
        "currentNumberScheduled": 2,
        "numberMisscheduled": 1,
        "numberReady": 1,
        "numberAvailable": 1,
        "numberUnavailable": 1,
        "updatedNumberScheduled": 1,
    }


async def test_set_runs_rolls_out_and_back_on_its_node(cluster: Cluster) -> None:
    await cluster.client.create(DAEMON_SETS, workload("DaemonSet"))
    await cluster.kubectl("rollout", "status", "ds/web", "--timeout=20s")
    [first] = await cluster.until_count(PODS, 1, "app=web")
    await cluster.kubectl("rollout", "restart", "ds/web")
    await cluster.kubectl("rollout", "status", "ds/web", "--timeout=20s")
    [second] = await cluster.until_count(PODS, 1, "app=web")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert "rolled back" in await cluster.kubectl("rollout", "undo", "ds/web")
    await cluster.kubectl("rollout", "status", "ds/web", "--timeout=20s")
    [third] = await cluster.until_count(PODS, 1, "app=web")
    hashes = [p["metadata"]["labels"]["controller-revision-hash"] for p in (first, second, third)]
    assert hashes[0] == hashes[2] != hashes[1]


async def test_pod_runs_on_a_cordoned_node_and_leaves_one_that_wants_nobody(cluster: Cluster) -> None:
    await cluster.until(NODES, "west-node", lambda n: n["status"].get("conditions"), "")
    await cluster.kubectl("cordon", "west-node")
    await cluster.client.create(DAEMON_SETS, workload("DaemonSet"))
    await cluster.kubectl("rollout", "status", "ds/web", "--timeout=20s")
    await cluster.kubectl("taint", "node", "west-node", "broken=yes:NoExecute")
    await cluster.until_count(PODS, 0, "app=web")
