"""Two real clusters (API server and controllers) and a link between them, with the rights it will have."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.base.state import LabDir
from lab.base.wait import until
from lab.controlplane.mirror.labels import EXPORTED
from lab.controlplane.mirror.main import Controller
from lab.controlplane.mirror.probe import Profile
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS, ENDPOINTS, NAMESPACES, SERVICE_ACCOUNTS, SERVICES, Kind
from lab.mesh.builtin import manifests
from lab.mesh.builtin.apply import apply_waves, kind
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import LinkSpec, MeshCluster
from tests.mesh.clusters import api_cluster, token_client
from tests.mesh.mirror.objects import endpoints, service
from tests.node.cluster import pki

Object = dict[str, Any]


@dataclass
class Pair:
    """West (source) and east (target); `controller` is west's mirror of east."""

    west: MeshCluster
    east: MeshCluster
    mesh: BuiltinMesh
    controller: Controller

    stop: Callable[[], object] = lambda: None

    async def export(
        self, name: str = "web", namespace: str = "shop", ready: bool = True, **labels: str
    ) -> None:
        """Make a Service with its Endpoints in the target."""
        labels = labels or {"exported": "true"}
        obj = service(name, namespace, **labels)
        del obj["metadata"]["resourceVersion"]
        await self.east.client.create(SERVICES, obj)
        await self.east.client.create(ENDPOINTS, endpoints(name, namespace, ready))

    async def relabel(self, value: str | None, name: str = "web", key: str = EXPORTED) -> None:
        patch = {"metadata": {"labels": {key: value}}}
        await self.east.client.patch(SERVICES, name, patch, "shop")

    async def set_ready(self, ready: bool, name: str = "web") -> None:
        patch = {"subsets": endpoints(name, ready=ready)["subsets"]}
        await self.east.client.patch(ENDPOINTS, name, patch, "shop")

    async def mirror(self, name: str = "web-east", namespace: str = "shop") -> Object:
        return await self.eventually(SERVICES, name, lambda _: True, namespace)

    async def eventually(
        self, kind: Kind, name: str, holds: Callable[[Object], Any], namespace: str = "shop"
    ) -> Object:
        """The object in the source cluster, once `holds` is true of it."""

        async def probe() -> Object | None:
            found = await self.west.client.get(kind, name, namespace)
            return found if holds(found) else None

        return await until(probe, timeout=8, what=f"{kind.kind} {name} as expected", every=0.02)

    async def gone(self, kind: Kind, name: str, namespace: str = "shop") -> None:
        async def probe() -> bool:
            try:
                await self.west.client.get(kind, name, namespace)
            except NotFound:
                return True
            return False

        await until(probe, timeout=8, what=f"{kind.kind} {name} is gone", every=0.02)


def ready_ips(endpoints: Object) -> list[str]:
    return [a["ip"] for s in endpoints.get("subsets") or [] for a in s.get("addresses") or []]


async def make_namespace(client: Client, name: str) -> None:
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


async def prepare(client: Client) -> None:
    """CRDs and the multicluster extension, without pods: there is no node here."""
    objects = [*manifests.documents("crds"), *manifests.documents("linkerd-multicluster")]
    objects += [obj for obj in manifests.documents("linkerd") if kind(obj) == NAMESPACES]
    await apply_waves(client, [obj for obj in objects if kind(obj) != DEPLOYMENTS])
    await make_namespace(client, "shop")


async def as_service_account(cluster: MeshCluster, name: str, namespace: str) -> Client:
    """A client with exactly the rights of a service account."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {"name": name}}
    answer = await cluster.client.create(
        SERVICE_ACCOUNTS, {**request, "spec": {"expirationSeconds": 3600}}, namespace, sub="token"
    )
    return await token_client(cluster, answer["status"]["token"])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def unlinked(tmp_path: Path, keys: Path) -> AsyncIterator[tuple[MeshCluster, MeshCluster, BuiltinMesh]]:
    """Two clusters that are ready to be linked."""
    async with (
        api_cluster("west", tmp_path / "west", keys, "172.28.0.10") as west,
        api_cluster("east", tmp_path / "east", keys, "172.28.0.11") as east,
    ):
        await asyncio.gather(prepare(west.client), prepare(east.client))
        yield west, east, BuiltinMesh(LabDir(tmp_path / "lab"))


@pytest.fixture
async def link(unlinked: tuple[MeshCluster, MeshCluster, BuiltinMesh]) -> AsyncIterator[Pair]:
    """West mirrors east; the controller runs as its own service account."""
    west, east, mesh = unlinked
    await mesh.link(west, east, LinkSpec())
    client = await as_service_account(west, "controller-east", "linkerd-multicluster")
    controller = Controller(client, "linkerd-multicluster", "east", Profile("latest"))
    running = asyncio.create_task(controller.run())
    try:
        yield Pair(west, east, mesh, controller, running.cancel)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await client.close()
