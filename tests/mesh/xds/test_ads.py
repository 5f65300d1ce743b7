"""The order in which a proxy is told of what comes and goes, seen by a client of the protocol."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.route.v3 import route_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from lab.controlplane.xds.ads import AdsServer, Sources
from lab.controlplane.xds.resources import CLUSTER, ENDPOINTS, ROUTES, ResourceSet, resource
from lab.controlplane.xds.snapshot import Snapshot


def snapshot(backend: str) -> Snapshot:
    """A route to one backend, which has endpoints of its own."""
    table = route_pb2.RouteConfiguration(name="table", request_headers_to_remove=[backend])
    return Snapshot(
        {
            CLUSTER: ResourceSet([resource(backend, cluster_pb2.Cluster(name=backend))]),
            ENDPOINTS: ResourceSet(
                [resource(backend, endpoint_pb2.ClusterLoadAssignment(cluster_name=backend))]
            ),
            ROUTES: ResourceSet([resource("table", table)]),
        }
    )


class Plane:
    """A control plane with one proxy on it, which says what it wants and reads what it is sent."""

    def __init__(self, server: AdsServer, stream: Any) -> None:
        self.server, self._stream, self.snapshot = server, stream, snapshot("old")

    async def ask(self, kind: str, *names: str) -> None:
        await self._stream.write(
            discovery_pb2.DeltaDiscoveryRequest(type_url=kind, resource_names_subscribe=names)
        )

    async def read(self) -> tuple[str, list[str], list[str], str]:
        """Type, what came, what went, and what acknowledges it."""
        told = await asyncio.wait_for(self._stream.read(), 5)
        return told.type_url, [one.name for one in told.resources], list(told.removed_resources), told.nonce

    async def acknowledge(self, kind: str, nonce: str) -> None:
        await self._stream.write(discovery_pb2.DeltaDiscoveryRequest(type_url=kind, response_nonce=nonce))

    async def next(self) -> tuple[str, list[str], list[str]]:
        kind, came, went, nonce = await self.read()
        await self.acknowledge(kind, nonce)
        return kind, came, went


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    server = AdsServer(Sources(lambda _: found.snapshot, lambda _: "web"))
    port = await server.start("127.0.0.1:0")
    telling = asyncio.create_task(server.run())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stream = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel).DeltaAggregatedResources()
        found = Plane(server, stream)
        yield found
        stream.cancel()
    telling.cancel()
    await server.stop()


async def test_what_a_route_named_leaves_only_after_the_proxy_has_the_new_route(plane: Plane) -> None:
    await plane.ask(CLUSTER)
    assert await plane.next() == (CLUSTER, ["old"], [])
    await plane.ask(ENDPOINTS, "old")
    assert await plane.next() == (ENDPOINTS, ["old"], [])
    await plane.ask(ROUTES, "table")
    assert await plane.next() == (ROUTES, ["table"], [])

    plane.snapshot = snapshot("new")
    plane.server.changed()
    kind, came, went, nonce = await plane.read()
    assert (kind, came, went) == (CLUSTER, ["new"], [])
    await plane.ask(ENDPOINTS, "new")  # as Envoy does, before it acknowledges
    await plane.acknowledge(CLUSTER, nonce)
    assert await plane.next() == (ENDPOINTS, ["new"], [])
    kind, came, went, nonce = await plane.read()
    assert (kind, came, went) == (ROUTES, ["table"], [])
    await plane.acknowledge(ROUTES, nonce)
    assert sorted([await plane.next(), await plane.next()]) == sorted(
        [(CLUSTER, [], ["old"]), (ENDPOINTS, [], ["old"])]
    )
