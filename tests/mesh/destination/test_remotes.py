"""Linked clusters as the destination program follows them: found, lost, found again, rotated, unlinked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.controlplane.destination.remotes import Remotes
from lab.controlplane.model.ir import PortRef
from lab.controlplane.model.pools import endpoints
from lab.controlplane.model.world import World
from lab.kube.informer import Informer, all_answered
from lab.kube.kinds import ENDPOINT_SLICES, SECRETS, SERVICE_ACCOUNTS, SERVICES, Kind
from lab.mesh.builtin.link_objects import Target, credentials
from lab.mesh.protocol import MeshCluster
from tests.mesh.clusters import api_cluster
from tests.mesh.mirror.conftest import prepare
from tests.mesh.mirror.objects import service
from tests.node.cluster import pki

Object = dict[str, Any]
DISCOVERY, NAME = "multicluster.linkerd.io/remote-discovery", "multicluster.linkerd.io/remote-service"
MIRROR, WEB = service("web-east", **{DISCOVERY: "east", NAME: "web"}), PortRef("shop", "web-east", 80)
ACCOUNT, SPACE = "linkerd-service-mirror-remote-access-default", "linkerd-multicluster"


@dataclass
class Cable:
    """A TCP path to a server that can be cut and mended; while it is cut, `refused` counts who tried."""

    target: int
    refused: int = 0
    is_cut: bool = False
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        """The port at which the path begins."""
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()
        self.cut()

    def cut(self) -> None:
        self.is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self.is_cut = False

    async def was_tried(self) -> bool:
        return self.refused > 0

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            self.refused += 1
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)


@dataclass
class Linked:
    """West follows east over a cable; `world` is what its proxies are told from."""

    west: MeshCluster
    east: MeshCluster
    cable: Cable
    url: str
    remotes: Remotes
    world: World

    async def link(self, token: str) -> None:
        (_, secret) = credentials(Target("east", self.url, self.east.api_ca, token))
        await self.west.client.apply(SECRETS, secret)

    async def token(self) -> str:
        """A fresh token of the account that a link uses in the target."""
        head = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": ACCOUNT},
        }
        answer = await self.east.client.create(
            SERVICE_ACCOUNTS, {**head, "spec": {"expirationSeconds": 3600}}, SPACE, sub="token"
        )
        return str(answer["status"]["token"])

    def seen(self) -> list[str]:
        """The addresses that west's proxies have for east's service."""
        return [e.address for e in self.world.graph.get(endpoints, WEB)]

    async def see(self, *addresses: str) -> None:
        async def probe() -> bool:
            return self.seen() == list(addresses)

        await until(probe, timeout=15, what=f"endpoints {addresses}", every=0.02)

    async def publish(self, *addresses: str) -> None:
        meta = {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}
        await self.east.client.apply(
            ENDPOINT_SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta,
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses],
            },
        )


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[Linked]:
    """Nothing is linked yet; east exports `web` with one endpoint, west has a flat mirror of it."""
    keys = pki(tmp_path / "pki")
    async with (
        api_cluster("west", tmp_path / "west", keys, "172.28.0.10") as west,
        api_cluster("east", tmp_path / "east", keys, "172.28.0.11") as east,
        (cable := Cable(int(east.api_url.rpartition(":")[2]))).laid() as port,
    ):
        await asyncio.gather(prepare(west.client), prepare(east.client))
        world = World()
        world.load([MIRROR])
        remotes = Remotes(west.client, "linkerd", world)
        found = Linked(west, east, cable, f"https://127.0.0.1:{port}", remotes, world)
        exported = service("web")
        del exported["metadata"]["resourceVersion"]
        await east.client.create(SERVICES, exported)
        await found.publish("10.21.0.5")
        running = asyncio.create_task(remotes.run())
        yield found
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_endpoints_stay_while_the_remote_api_is_lost_and_are_followed_when_it_returns(
    linked: Linked,
) -> None:
    await linked.link(await linked.token())
    await linked.see("10.21.0.5")
    linked.cable.cut()
    await until(linked.cable.was_tried, timeout=10, what="the loss is noticed", every=0.02)
    await linked.publish("10.21.0.6")
    await linked.see("10.21.0.5")
    linked.cable.mend()
    await linked.see("10.21.0.6")


async def test_a_cluster_that_is_away_at_the_start_is_followed_once_it_is_there(linked: Linked) -> None:
    """Linkerd's destination controller tries once only."""
    linked.cable.cut()
    await linked.link(await linked.token())
    await until(linked.cable.was_tried, timeout=10, what="the first try failed", every=0.02)
    linked.cable.mend()
    await linked.see("10.21.0.5")


async def test_reading_ends_when_all_that_a_cluster_has_is_known(linked: Linked) -> None:
    """A control plane that starts anew serves from here on: what it lacked would be taken from proxies."""
    await linked.link(await linked.token())
    anew = Remotes(linked.west.client, "linkerd", World())
    anew.world.load([MIRROR])
    following = asyncio.create_task(anew.run())
    await anew.read(within=30)
    seen = [e.address for e in anew.world.graph.get(endpoints, WEB)]
    following.cancel()
    assert seen == ["10.21.0.5"]


async def test_reading_does_not_wait_long_for_a_cluster_that_is_away(linked: Linked) -> None:
    linked.cable.cut()
    await linked.link(await linked.token())
    await until(linked.cable.was_tried, timeout=10, what="the cluster was tried", every=0.02)
    await linked.remotes.read(within=0.1)
    assert linked.remotes.live() == {"east": False}


async def test_a_kind_that_is_not_installed_is_known_too(linked: Linked) -> None:
    informer = Informer(linked.west.client, Kind("example.com", "v1", "Absent", "absents"))
    following = asyncio.create_task(informer.run())
    async with asyncio.timeout(10):
        await all_answered(informer)
    following.cancel()
    assert not informer.synced.is_set()


async def test_rotated_credentials_take_over_without_a_gap(linked: Linked) -> None:
    """Linkerd's destination controller ignores a Secret that changes in place."""
    await linked.link(await linked.token())
    await linked.see("10.21.0.5")
    before = linked.remotes.remotes["east"]
    await linked.link(await linked.token())

    async def replaced() -> bool:
        now = linked.remotes.remotes["east"]
        assert linked.seen() == ["10.21.0.5"]
        return now is not before and now.is_live

    await until(replaced, timeout=10, what="the new credentials are in use", every=0.01)
    await linked.publish("10.21.0.6")
    await linked.see("10.21.0.6")


async def test_unlinking_forgets_the_cluster(linked: Linked) -> None:
    await linked.link(await linked.token())
    await linked.see("10.21.0.5")
    await linked.west.client.delete(SECRETS, "cluster-credentials-east", "linkerd")
    await linked.see()
    assert linked.remotes.live() == {}
