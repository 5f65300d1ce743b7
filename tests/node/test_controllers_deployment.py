"""Deployments as a user of kubectl sees them, and ReplicaSets that find and lose pods."""

import contextlib
import signal
from typing import Any

import pytest

from lab.base.wait import until
from lab.kube.errors import ApiError
from lab.kube.kinds import DEPLOYMENTS, PODS, REPLICA_SETS
from tests.node.cluster import Cluster
from tests.node.workloads import workload

Object = dict[str, Any]


async def test_rollout_is_undone_and_told(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, workload("Deployment", replicas=2))
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    await cluster.kubectl("set", "env", "deploy/web", "COLOUR=red")
    await cluster.kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=more colour")
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    await cluster.until_count(PODS, 2, "app=web")
    assert "more colour" in await cluster.kubectl("rollout", "history", "deploy/web")
    await cluster.kubectl("rollout", "undo", "deploy/web")
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    shown = await cluster.get(DEPLOYMENTS, "web")
    assert "env" not in shown["spec"]["template"]["spec"]["containers"][0]
    assert shown["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


async def test_paused_deployment_keeps_its_pods_until_it_is_resumed(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, workload("Deployment", replicas=1))
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    await cluster.kubectl("rollout", "pause", "deploy/web")
    await cluster.kubectl("set", "env", "deploy/web", "COLOUR=red")
    await cluster.until(
        DEPLOYMENTS,
        "web",
        lambda d: d["status"]["observedGeneration"] == d["metadata"]["generation"],
    )
    assert len(await cluster.client.list(REPLICA_SETS, "default", "app=web")) == 1
    await cluster.kubectl("rollout", "resume", "deploy/web")
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert len(await cluster.client.list(REPLICA_SETS, "default", "app=web")) == 2


async def test_recreate_never_runs_old_and_new_side_by_side(cluster: Cluster) -> None:
    own = workload("Deployment", replicas=1, strategy={"type": "Recreate"})
    await cluster.client.create(DEPLOYMENTS, own)
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    cluster.runtime.stubborn.add("app")
    await cluster.kubectl("rollout", "restart", "deploy/web")

    async def asked_to_end() -> bool:
        return any(signum == signal.SIGTERM for _, signum in cluster.runtime.signals)

    await until(asked_to_end, timeout=8, what="SIGTERM", every=0.02)
    assert len(await cluster.client.list(REPLICA_SETS, "default", "app=web")) == 1
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert len(await cluster.client.list(REPLICA_SETS, "default", "app=web")) == 2


async def test_pod_that_fits_is_adopted_and_one_that_no_longer_fits_let_go(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    await cluster.ready("web")
    await cluster.client.create(REPLICA_SETS, workload("ReplicaSet", replicas=1))
    adopted = await cluster.until(PODS, "web", lambda p: p["metadata"].get("ownerReferences"))
    assert adopted["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
    await cluster.kubectl("label", "pod", "web", "app=other", "--overwrite")
    await cluster.until(PODS, "web", lambda p: not p["metadata"].get("ownerReferences"))
    await cluster.until_count(PODS, 1, "app=web")


async def test_pods_that_cannot_be_made_show_as_a_failure(cluster: Cluster) -> None:
    own = workload("Deployment", replicas=1)
    own["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    await cluster.client.create(DEPLOYMENTS, own)

    def told(found: Object) -> bool:
        return any(c["type"] == "ReplicaFailure" for c in (found.get("status") or {}).get("conditions") or ())

    shown = await cluster.until(DEPLOYMENTS, "web", told)
    assert '"nobody" not found' in shown["status"]["conditions"][2]["message"]


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param({"operator": "Sounds like", "values": ["broken"]}, id="unreadable"),
        pytest.param({"operator": "In", "values": ["other"]}, id="of other labels than its pods"),
    ],
)
async def test_selector_that_selects_no_pod_makes_none_and_harms_nobody(
    cluster: Cluster, expression: Object
) -> None:
    broken = workload("ReplicaSet", "broken", replicas=1)
    broken["spec"]["selector"] = {"matchExpressions": [{"key": "app", **expression}]}
    with contextlib.suppress(ApiError):  # refused is as good
        await cluster.client.create(REPLICA_SETS, broken)
    await cluster.client.create(DEPLOYMENTS, workload("Deployment", replicas=1))
    await cluster.kubectl("rollout", "status", "deploy/web", "--timeout=20s")
    assert not await cluster.client.list(PODS, "default", "app=broken")
