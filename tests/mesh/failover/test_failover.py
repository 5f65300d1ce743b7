"""TrafficSplits under the failover extension: who gets the traffic when backends come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.controlplane.failover import weights
from lab.controlplane.failover.main import Failover
from lab.kube.kinds import DEPLOYMENTS, ENDPOINTS, EVENTS, TRAFFIC_SPLITS
from lab.mesh.builtin import manifests
from lab.mesh.builtin.apply import apply_waves, kind
from lab.mesh.protocol import MeshCluster
from tests.mesh.clusters import api_cluster
from tests.mesh.mirror.conftest import as_service_account, make_namespace
from tests.mesh.mirror.objects import endpoints
from tests.node.cluster import pki

Object = dict[str, Any]


def split(*backends: str, primary: str = "", label: str = "linkerd-failover") -> Object:
    notes = {"failover.linkerd.io/primary-service": primary} if primary else {}
    meta = {"name": "web", "namespace": "shop", "annotations": notes}
    return {
        "apiVersion": "split.smi-spec.io/v1alpha2",
        "kind": "TrafficSplit",
        "metadata": {**meta, "labels": {"failover.linkerd.io/controlled-by": label}},
        "spec": {"service": "web", "backends": [{"service": name, "weight": 1} for name in backends]},
    }


READY = {
    "the primary takes all while it is ready": ({"a", "b", "c"}, [1, 0, 0]),
    "the others share alike without it": ({"b", "c"}, [0, 1, 1]),
    "only ready ones take over": ({"c"}, [0, 0, 1]),
    "nobody gets traffic when none is ready": (set(), [0, 0, 0]),
}


@pytest.mark.parametrize("case", READY)
def test_weights_follow_readiness(case: str) -> None:
    ready, expected = READY[case]
    assert [b["weight"] for b in weights.wanted(split("a", "b", "c"), ready)] == expected


def test_an_annotation_names_the_primary() -> None:
    chosen = weights.wanted(split("a", "b", primary="b"), {"a", "b"})
    assert [b["weight"] for b in chosen] == [0, 1]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[MeshCluster]:
    """A cluster with the extension at work under its own rights."""
    keys = pki(tmp_path / "pki")
    async with api_cluster("west", tmp_path / "west", keys, "172.28.0.10") as found:
        objects = [*manifests.documents("crds"), *manifests.documents("linkerd-failover")]
        await apply_waves(found.client, [obj for obj in objects if kind(obj) != DEPLOYMENTS])
        await make_namespace(found.client, "shop")
        client = await as_service_account(found, "linkerd-failover", "linkerd-failover")
        running = asyncio.create_task(Failover(client, "linkerd-failover").run())
        yield found
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await client.close()


async def weights_become(cluster: MeshCluster, *expected: int) -> None:
    async def probe() -> bool:
        found = await cluster.client.get(TRAFFIC_SPLITS, "web", "shop")
        return [b["weight"] for b in found["spec"]["backends"]] == list(expected)

    await until(probe, timeout=8, what=f"weights {expected}", every=0.02)


async def test_traffic_moves_to_the_mirror_and_back(cluster: MeshCluster) -> None:
    for name in ("web", "web-east"):
        await cluster.client.create(ENDPOINTS, endpoints(name))
    await cluster.client.create(TRAFFIC_SPLITS, split("web", "web-east"))
    await weights_become(cluster, 1, 0)
    gone = {"subsets": endpoints("web", ready=False)["subsets"]}
    await cluster.client.patch(ENDPOINTS, "web", gone, "shop")
    await weights_become(cluster, 0, 1)
    events = await cluster.client.list(EVENTS, "shop")
    assert "Traffic goes to web-east" in [e["message"] for e in events if e["reason"] == "Failover"]
    await cluster.client.patch(ENDPOINTS, "web", {"subsets": endpoints("web")["subsets"]}, "shop")
    await weights_become(cluster, 1, 0)


async def test_a_flat_mirror_has_no_endpoints_and_never_takes_over(cluster: MeshCluster) -> None:
    """As in Linkerd (linkerd2 #11472)."""
    await cluster.client.create(ENDPOINTS, endpoints("web", ready=False))
    await cluster.client.create(TRAFFIC_SPLITS, split("web", "web-east"))
    await weights_become(cluster, 0, 0)


async def test_splits_of_other_controllers_are_left_alone(cluster: MeshCluster) -> None:
    await cluster.client.create(TRAFFIC_SPLITS, split("web", "web-east", label="somebody"))
    other = split("gone", "web-east")
    other["metadata"]["name"] = "other"
    await cluster.client.create(TRAFFIC_SPLITS, other)

    async def other_is_done() -> bool:
        found = await cluster.client.get(TRAFFIC_SPLITS, "other", "shop")
        return [b["weight"] for b in found["spec"]["backends"]] == [0, 0]

    await until(other_is_done, timeout=8, what="the labelled split is handled", every=0.02)
    await weights_become(cluster, 1, 1)
