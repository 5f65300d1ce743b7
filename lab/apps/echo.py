"""echo: tells what reached it, over HTTP, gRPC and TCP, in one program.

The reply is JSON with the request as the server saw it (method, path, host, headers) and where the server
runs; tests of routes, filters and identities read it.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from lab.apps import conduct as conducting
from lab.apps import place, rpc, serving
from lab.apps.conduct import Conduct
from lab.apps.lines import listen_lines


async def open_http(stack: AsyncExitStack, conduct: Conduct, port: int) -> int:
    here = place.from_env(os.environ)

    async def echo(request: web.Request) -> web.Response:
        await conduct.delay()
        headers: dict[str, list[str]] = {}
        for key, value in request.headers.items():
            headers.setdefault(key.lower(), []).append(value)
        body = {
            "app": "echo",
            **here.fields(),
            "client": request.headers.get("l5d-client-id", ""),
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
            "method": request.method,
            "path": request.path_qs,
            "host": request.host,
            "headers": headers,
        }
        return web.json_response(body, status=500 if conduct.should_fail() else 200)

    app = web.Application()
    conducting.add_routes(app, conduct)
    app.router.add_route("*", "/{path:.*}", echo)
    return await serving.listen_http(stack, app, port)


async def open_grpc(stack: AsyncExitStack, port: int) -> int:
    here = place.from_env(os.environ)

    async def echo(asked: rpc.Reply, context: rpc.Context) -> rpc.Reply:
        headers: dict[str, list[str]] = {}
        for key, value in context.invocation_metadata() or ():
            headers.setdefault(key, []).append(value if isinstance(value, str) else value.hex())
        client = rpc.metadata_value(context, "l5d-client-id")
        return {
            "app": "echo",
            **here.fields(),
            "client": client,
            "protocol": "gRPC",
            "headers": headers,
            "asked": asked,
        }

    return await rpc.listen(stack, rpc.ECHO, {"Echo": echo}, port)


async def open_tcp(stack: AsyncExitStack, port: int) -> int:
    here = place.from_env(os.environ)

    async def echo(line: str) -> str:
        return json.dumps({"app": "echo", **here.fields(), "protocol": "TCP", "line": line})

    return await listen_lines(stack, echo, port)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="echo", description="echo server for HTTP, gRPC and TCP")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc", type=int, default=7070)
    parser.add_argument("--tcp", type=int, default=9090)
    serving.add_conduct_arguments(parser)
    args = parser.parse_args(argv)
    conduct = serving.conduct_from(args)

    async def setup(stack: AsyncExitStack) -> None:
        await asyncio.gather(
            open_http(stack, conduct, args.port), open_grpc(stack, args.grpc), open_tcp(stack, args.tcp)
        )

    return serving.run(setup, conduct, args.drain_ms)
