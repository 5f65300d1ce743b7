"""StatefulSets: what the plan does next, and whole sets on the real API server."""

from typing import Any

import pytest

from lab.kube.kinds import CONTROLLER_REVISIONS, NODES, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from lab.pocket.controllers.ordinals import Revisions, View, plan, pod_of, status
from lab.pocket.controllers.revisions import revision_of, surplus
from tests.node.cluster import Cluster
from tests.node.workloads import pod_status, stored, template, workload

Object = dict[str, Any]


def owner(replicas: int = 3, **spec: Any) -> Object:
    return stored(workload("StatefulSet", replicas=replicas, serviceName="peers", **spec))


def view(own: Object, pods: dict[int, Object] | None = None) -> View:
    """`pods` maps ordinals to fields of their status; "old" ones are of the former revision."""
    old = revision_of({**own, "spec": {**own["spec"], "template": template(image="old")}}, 1, 0)
    bare = View(own, Revisions(old, revision_of(own, 2, 0)))
    made = []
    for number, fields in (pods or {}).items():
        fields = dict(fields)
        pod = pod_of(bare, number)
        revision = bare.revisions.current if fields.pop("old", False) else bare.revisions.update
        pod["metadata"]["labels"]["controller-revision-hash"] = revision["metadata"]["name"]
        if fields.pop("deleting", False):
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        made.append(pod_status(pod, **fields))
    return View(own, bare.revisions, made, 0.0)


def todo(found: View) -> tuple[list[int], list[str]]:
    step = plan(found)
    return list(step.create), [p["metadata"]["name"] for p in (*step.failed, *step.delete)]


GOOD: Object = {}
OLD: Object = {"old": True}
BAD: Object = {"ready": False}
PARALLEL = {"podManagementPolicy": "Parallel"}


@pytest.mark.parametrize(
    ("own", "pods", "wanted"),
    [
        pytest.param(owner(), {}, ([0], []), id="the first comes first"),
        pytest.param(owner(), {0: BAD}, ([], []), id="the next waits for it"),
        pytest.param(owner(), {0: GOOD}, ([1], []), id="then the next"),
        pytest.param(owner(), {0: GOOD, 2: GOOD}, ([1], []), id="a gap is filled"),
        pytest.param(owner(**PARALLEL), {}, ([0, 1, 2], []), id="in parallel all at once"),
        pytest.param(owner(), {0: GOOD, 1: {"phase": "Failed"}}, ([], ["web-1"]), id="a failed one anew"),
        pytest.param(owner(1), {0: GOOD, 1: GOOD, 2: GOOD}, ([], ["web-2"]), id="down from the top"),
        pytest.param(
            owner(1), {0: GOOD, 1: GOOD, 2: {"deleting": True}}, ([], []), id="one at a time downwards"
        ),
        pytest.param(owner(1), {0: BAD, 1: GOOD}, ([], []), id="not while one that stays is unhealthy"),
        pytest.param(
            owner(1, **PARALLEL), {0: BAD, 1: GOOD, 2: GOOD}, ([], ["web-2", "web-1"]), id="or in parallel"
        ),
        pytest.param(owner(2, ordinals={"start": 5}), {5: GOOD}, ([6], []), id="from another start"),
        pytest.param(owner(), {0: OLD, 1: OLD, 2: OLD}, ([], ["web-2"]), id="update from the top"),
        pytest.param(owner(**PARALLEL), {0: OLD, 1: OLD, 2: BAD}, ([], []), id="update waits for health"),
        pytest.param(
            owner(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
            {0: OLD, 1: OLD, 2: GOOD},
            ([], []),
            id="update stops at the partition",
        ),
        pytest.param(
            owner(updateStrategy={"type": "OnDelete"}), {0: OLD, 1: OLD, 2: OLD}, ([], []), id="on delete"
        ),
    ],
)
def test_plan(own: Object, pods: dict[int, Object], wanted: tuple[list[int], list[str]]) -> None:
    assert todo(view(own, pods)) == wanted


def test_pod_below_the_partition_is_made_of_the_old_template() -> None:
    own = owner(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    images = [pod_of(view(own), n)["spec"]["containers"][0]["image"] for n in (1, 2)]
    assert images == ["old", "multicluster.lab/apps"]


def test_pod_has_a_stable_name_and_index() -> None:
    pod = pod_of(view(owner()), 1)
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "peers")
    found = pod["metadata"]["labels"]
    assert found["statefulset.kubernetes.io/pod-name"] == "web-1"
    assert found["apps.kubernetes.io/pod-index"] == "1"


def test_finished_rollout_makes_the_update_revision_current() -> None:
    found = status(view(owner(2), {0: GOOD, 1: GOOD}))
    assert found["currentRevision"] == found["updateRevision"]
    assert found["currentReplicas"] == found["updatedReplicas"] == 2


def test_rollout_under_way_counts_both_revisions() -> None:
    found = status(view(owner(2), {0: OLD, 1: BAD}))
    assert (found["currentReplicas"], found["updatedReplicas"], found["readyReplicas"]) == (1, 1, 1)
    assert found["currentRevision"] != found["updateRevision"]


def test_revisions_above_the_limit_are_forgotten_oldest_first() -> None:
    own = owner(revisionHistoryLimit=1)
    known = [{"metadata": {"name": f"r{n}"}, "revision": n} for n in (3, 1, 2, 4)]
    assert [r["metadata"]["name"] for r in surplus(own, known, {"r4"})] == ["r1", "r2"]


async def test_set_rolls_out_back_and_down(cluster: Cluster) -> None:
    own = workload("StatefulSet", replicas=2, serviceName="peers")
    await cluster.client.create(STATEFUL_SETS, own)
    assert "complete" in await cluster.kubectl("rollout", "status", "sts/web", "--timeout=20s")
    await cluster.kubectl("set", "env", "sts/web", "COLOUR=red")
    await cluster.kubectl("rollout", "status", "sts/web", "--timeout=20s")
    pods = await cluster.until_count(PODS, 2, "app=web")
    assert all(p["spec"]["containers"][0]["env"][0]["value"] == "red" for p in pods)
    assert [line.split()[0] for line in (await _history(cluster)).splitlines()[1:]] == ["REVISION", "1", "2"]
    await cluster.kubectl("rollout", "undo", "sts/web")
    await cluster.kubectl("rollout", "status", "sts/web", "--timeout=20s")
    pods = await cluster.until_count(PODS, 2, "app=web")
    assert not any(p["spec"]["containers"][0].get("env") for p in pods)
    assert [line.split()[0] for line in (await _history(cluster)).splitlines()[1:]] == ["REVISION", "2", "3"]
    await cluster.kubectl("scale", "sts/web", "--replicas=1")
    [pod] = await cluster.until_count(PODS, 1, "app=web")
    assert pod["metadata"]["name"] == "web-0"


async def _history(cluster: Cluster) -> str:
    return (await cluster.kubectl("rollout", "history", "sts/web")).strip()


async def test_deleted_set_takes_pods_and_revisions_along(cluster: Cluster) -> None:
    await cluster.client.create(STATEFUL_SETS, workload("StatefulSet", replicas=1, serviceName="peers"))
    await cluster.ready("web-0")
    await cluster.client.delete(STATEFUL_SETS, "web", "default")
    await cluster.until_count(PODS, 0, "app=web")
    await cluster.until_count(CONTROLLER_REVISIONS, 0, "app=web")


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


async def bind(cluster: Cluster, *claims: str) -> None:
    for claim in claims:
        await cluster.until(PERSISTENT_VOLUME_CLAIMS, claim, lambda c: c)
        bound = {"status": {"phase": "Bound"}}
        await cluster.client.patch(PERSISTENT_VOLUME_CLAIMS, claim, bound, "default", "status")


async def make_node(cluster: Cluster) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "still"}, "spec": {}}
    await cluster.client.create(NODES, node)
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await cluster.client.patch(NODES, "still", ready, sub="status")


async def test_pod_waits_until_its_claim_is_bound(bare: Cluster) -> None:
    await make_node(bare)
    own = workload("StatefulSet", replicas=1, serviceName="peers", volumeClaimTemplates=[CLAIM])
    await bare.client.create(STATEFUL_SETS, own)

    def told(pod: Object) -> bool:
        return any("unbound" in c.get("message", "") for c in pod["status"].get("conditions") or ())

    pod = await bare.until(PODS, "web-0", told)
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "data-web-0"
    await bind(bare, "data-web-0")
    await bare.until(PODS, "web-0", lambda p: p["spec"].get("nodeName") == "still")


@pytest.mark.parametrize(
    ("retention", "left"),
    [
        pytest.param({}, ["data-web-0", "data-web-1"], id="claims outlive pods and set"),
        pytest.param({"whenScaled": "Delete"}, ["data-web-0"], id="or go with the pod"),
        pytest.param({"whenDeleted": "Delete"}, [], id="or with the set"),
    ],
)
async def test_claims_are_kept_as_the_policy_says(bare: Cluster, retention: Object, left: list[str]) -> None:
    own = workload(
        "StatefulSet",
        replicas=2,
        serviceName="peers",
        volumeClaimTemplates=[CLAIM],
        podManagementPolicy="Parallel",
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain", **retention},
    )
    await bare.client.create(STATEFUL_SETS, own)
    await bare.until_count(PODS, 2, "app=web")
    await bare.client.patch(STATEFUL_SETS, "web", {"spec": {"replicas": 1}}, "default")
    await bare.until_count(PODS, 1, "app=web")
    await bare.client.delete(STATEFUL_SETS, "web", "default")
    found = await bare.until_count(PERSISTENT_VOLUME_CLAIMS, len(left), "app=web")
    assert sorted(c["metadata"]["name"] for c in found if c) == left
