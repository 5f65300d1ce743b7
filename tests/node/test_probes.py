"""Probes against real servers: what counts as healthy, and what is told about what does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from lab.kube.kinds import PODS
from lab.pocket.node.execs import Execs
from lab.pocket.node.grpchealth import METHOD
from lab.pocket.node.handlers import Target, perform
from lab.pocket.node.outcome import Outcome
from tests.node.cluster import Cluster, container
from tests.node.memory_runtime import MemoryRuntime

SERVING, NOT_SERVING = 1, 2


async def ask(handler: dict[str, Any]) -> Outcome:
    return await perform(handler, Target({"name": "app"}, "u/app/0", "127.0.0.1"), Execs(MemoryRuntime()), 5)


@pytest.fixture
async def health() -> AsyncIterator[int]:
    """The port of a server with the health service: all is well but the service `sick`."""

    async def check(request: StringValue, _context: Any) -> Int32Value:
        return Int32Value(value=NOT_SERVING if request.value == "sick" else SERVING)

    method = grpc.unary_unary_rpc_method_handler(check, StringValue.FromString, Int32Value.SerializeToString)
    service, name = METHOD.strip("/").split("/")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


async def test_grpc_server_that_serves_is_healthy(health: int) -> None:
    assert (await ask({"grpc": {"port": health, "service": ""}})).ok


async def test_grpc_service_that_does_not_serve_is_told(health: int) -> None:
    seen = await ask({"grpc": {"port": health, "service": "sick"}})
    assert seen == Outcome(False, 'service unhealthy (responded with "NOT_SERVING")')


async def test_grpc_server_without_the_health_service_is_told() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    seen = await ask({"grpc": {"port": port}})
    await server.stop(None)
    assert not seen.ok
    assert "does not implement the grpc health protocol" in seen.message


async def test_grpc_port_that_nobody_listens_on_is_told() -> None:
    seen = await ask({"grpc": {"port": 1}})
    assert not seen.ok
    assert 'failed to connect service "127.0.0.1:1"' in seen.message


async def test_tcp_port_that_listens_is_healthy() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    seen = await ask({"tcpSocket": {"port": server.sockets[0].getsockname()[1]}})
    server.close()
    assert seen.ok


async def test_tcp_port_that_nobody_listens_on_is_told() -> None:
    seen = await ask({"tcpSocket": {"port": 1}})
    assert seen == Outcome(False, "dial tcp 127.0.0.1:1: connect: connection refused")


async def test_command_that_takes_too_long_is_killed() -> None:
    runtime = MemoryRuntime()
    target, handler = Target({"name": "app"}, "u/app/0", "127.0.0.1"), {"exec": {"command": ["hang"]}}
    with runtime.hanging():
        seen = await perform(handler, target, Execs(runtime), 0.1)
        assert runtime.killed_execs == ["exec-1"]
    assert seen == Outcome(False, "no answer within 0.1 s")


async def test_probe_of_null_is_no_probe(cluster: Cluster) -> None:
    nothing = dict.fromkeys(("readinessProbe", "livenessProbe", "startupProbe"))
    await cluster.make_pod("web", container("app", **nothing))
    await cluster.ready("web")


async def test_container_is_not_ready_before_its_startup_probe_succeeds(cluster: Cluster) -> None:
    cluster.runtime.answers[("up",)] = (1, b"")
    probe = {"exec": {"command": ["up"]}, "periodSeconds": 1, "failureThreshold": 60}
    await cluster.make_pod("web", container("app", startupProbe=probe))
    pod = await cluster.until(PODS, "web", lambda p: cluster.runtime.execs)
    assert [c["started"] for c in pod["status"].get("containerStatuses") or ()] in ([], [False])
    cluster.runtime.answers[("up",)] = (0, b"")
    await cluster.ready("web")
