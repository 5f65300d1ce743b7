"""A real API server with controllers; a small stand-in for the node makes pods Ready."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.kube.client import Client
from lab.kube.errors import ApiError
from lab.kube.kinds import PODS
from lab.kube.objects import is_condition_true, name, namespace, now
from lab.kube.watch import Scope, watch
from lab.mesh.protocol import MeshCluster
from tests.mesh.clusters import api_cluster
from tests.node.cluster import pki


async def make_pods_ready(client: Client) -> None:
    """What matters of a node here: every pod is Ready, whatever the scheduler says of it."""
    async for seen in watch(client, Scope(PODS)):
        if seen.type not in ("ADDED", "MODIFIED") or is_condition_true(seen.object, "Ready"):
            continue
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": now()}
        status = {"status": {"phase": "Running", "conditions": [condition], "podIP": "10.20.0.9"}}
        with contextlib.suppress(ApiError):
            where = {"namespace": namespace(seen.object), "sub": "status", "type": "strategic"}
            await client.patch(PODS, name(seen.object), status, **where)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def cluster(tmp_path: Path, keys: Path) -> AsyncIterator[MeshCluster]:
    async with api_cluster("west", tmp_path / "west", keys, "172.28.0.10") as found:
        node = asyncio.create_task(make_pods_ready(found.client))
        yield found
        node.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await node
