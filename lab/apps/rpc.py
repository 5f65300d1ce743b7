"""The demo apps' gRPC: unary calls whose messages are JSON in bytes, so no generated code is needed.

The wire is real gRPC (HTTP/2, `/<service>/<method>`, trailers), which is all that proxies and GRPCRoutes
look at.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio

CATALOG = "lab.shop.Catalog"
ECHO = "lab.echo.Echo"
DEFAULT = "/lab.Demo/Ask"
"""Served by every demo app as another name of its first method, so that a bare grpc://host:port works."""
Reply = dict[str, Any]
Context = grpc.aio.ServicerContext[bytes, bytes]
Method = Callable[[Reply, Context], Awaitable[Reply]]


def metadata_value(context: Context, name: str) -> str:
    """The first value of a metadata key the caller (or its proxy) sent, or empty."""
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value if isinstance(value, str) else value.decode()
    return ""


async def listen(stack: AsyncExitStack, service: str, methods: dict[str, Method], port: int) -> int:
    """Serve `methods` of `service` in clear text until `stack` closes; the result is the port bound."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(_handler(method)) for name, method in methods.items()
    }
    _, alias, name = DEFAULT.split("/")
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(service, handlers),
            grpc.method_handlers_generic_handler(alias, {name: next(iter(handlers.values()))}),
        )
    )
    bound = server.add_insecure_port(f"0.0.0.0:{port}")
    await server.start()
    stack.push_async_callback(server.stop, 2.0)
    return bound


def _handler(method: Method) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def handle(message: bytes, context: Context) -> bytes:
        asked: Reply = json.loads(message) if message else {}
        return json.dumps(await method(asked, context)).encode()

    return handle


def _unchanged(message: bytes) -> bytes:
    return message


def connect(address: str) -> grpc.aio.Channel:
    """A channel that dials again within half a second, so that a lost dependency is not remembered as
    lost.
    """
    options = (
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),
    )
    return grpc.aio.insecure_channel(address, options=options)


async def call(
    channel: grpc.aio.Channel,
    method: str,
    message: Reply,
    timeout: float,
    metadata: Iterable[tuple[str, str]] = (),
) -> Reply:
    """Call `/<service>/<method>`; a failure is grpc.aio.AioRpcError."""
    invoke = channel.unary_unary(method, _unchanged, _unchanged)
    answer: bytes = await invoke(json.dumps(message).encode(), timeout=timeout, metadata=tuple(metadata))
    reply: Reply = json.loads(answer)
    return reply
