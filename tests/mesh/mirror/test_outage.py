"""A link whose target cannot be reached, and controllers that start at a bad moment."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lab.controlplane.admin import Metrics
from lab.controlplane.mirror.probe import Profile
from lab.controlplane.mirror.view import Clusters, View
from lab.controlplane.mirror.watcher import Watcher
from lab.kube.client import Client
from lab.kube.kinds import ENDPOINTS, SERVICES
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import MeshCluster
from lab.topology.bugs import Bug
from tests.mesh.clusters import token_client
from tests.mesh.mirror.conftest import Pair, ready_ips
from tests.mesh.mirror.objects import a_link, endpoints, service

Unlinked = tuple[MeshCluster, MeshCluster, BuiltinMesh]
MARK = {"mirror.linkerd.io/mirrored-service": "true", "mirror.linkerd.io/cluster-name": "east"}


@contextlib.asynccontextmanager
async def watching(west: MeshCluster, remote: Client, profile: Profile) -> AsyncIterator[Watcher]:
    watcher = Watcher(View(a_link(), Clusters(west.client, remote), profile), Metrics())
    running = asyncio.create_task(watcher.run())
    try:
        yield watcher
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def old_mirror(west: MeshCluster, *, ready: bool) -> None:
    """What a predecessor left in the source cluster."""
    for kind, obj in ((SERVICES, service("web-east")), (ENDPOINTS, endpoints("web-east", ready=ready))):
        obj["metadata"].update(labels=MARK)
        obj["metadata"].pop("resourceVersion", None)
        await west.client.create(kind, obj)


async def export(east: MeshCluster) -> None:
    obj = service(exported="true")
    del obj["metadata"]["resourceVersion"]
    await east.client.create(SERVICES, obj)
    await east.client.create(ENDPOINTS, endpoints())


@pytest.fixture
async def unreachable(unlinked: Unlinked) -> AsyncIterator[Client]:
    _, east, _ = unlinked
    nowhere = MeshCluster("east", east.client, "https://127.0.0.1:1", east.api_ca)
    client = await token_client(nowhere, "a token")
    yield client
    await client.close()


async def test_mirrors_stay_while_the_target_cannot_be_reached(
    unlinked: Unlinked, unreachable: Client
) -> None:
    west, _, _ = unlinked
    await old_mirror(west, ready=True)
    async with watching(west, unreachable, Profile("latest")) as watcher:
        await watcher.gateway.set_liveness(False)
        await eventually_dead(west)
    assert await west.client.get(SERVICES, "web-east", "shop")


async def eventually_dead(west: MeshCluster) -> dict[str, Any]:
    pair = Pair(west, west, None, None)  # type: ignore[arg-type]
    return await pair.eventually(ENDPOINTS, "web-east", lambda e: e.get("subsets") and not ready_ips(e))


async def test_a_restart_while_the_gateway_is_dead_keeps_its_endpoints_not_ready(unlinked: Unlinked) -> None:
    west, east, _ = unlinked
    await old_mirror(west, ready=False)
    await export(east)
    async with watching(west, east.client, Profile("latest")):
        pair = Pair(west, east, None, None)  # type: ignore[arg-type]
        found = await pair.eventually(ENDPOINTS, "web-east", lambda e: e["metadata"].get("annotations"))
    assert ready_ips(found) == []


@pytest.mark.parametrize(("bugs", "ready"), [((), True), (("restart-vs-live-gateway",), False)])
async def test_a_restart_takes_a_live_gateway_for_dead_with_the_bug_only(
    unlinked: Unlinked, bugs: tuple[Bug, ...], ready: bool
) -> None:
    west, east, _ = unlinked
    await old_mirror(west, ready=True)
    await export(east)
    async with watching(west, east.client, Profile("latest", bugs=frozenset(bugs))):
        pair = Pair(west, east, None, None)  # type: ignore[arg-type]
        found = await pair.eventually(ENDPOINTS, "web-east", lambda e: e["metadata"].get("annotations"))
    assert bool(ready_ips(found)) == ready


async def test_the_emulated_bug_makes_endpoints_of_a_dead_gateway_ready_after_a_restart(
    unlinked: Unlinked,
) -> None:
    west, east, _ = unlinked
    await old_mirror(west, ready=False)
    await export(east)
    async with watching(west, east.client, Profile("latest", bugs=frozenset({"restart-vs-dead-gateway"}))):
        pair = Pair(west, east, None, None)  # type: ignore[arg-type]
        assert await pair.eventually(ENDPOINTS, "web-east", ready_ips)
