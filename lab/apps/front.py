"""front: the shop's first hop, HTTP in, gRPC out to catalog.

A reply tells the whole way: which cluster and pod answered at each hop, and which client identity each saw.
A dependency that fails makes it a 502 that names the dependency and the reason.
"""

import argparse
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio
from aiohttp import web

from lab.apps import conduct as conducting
from lab.apps import place, rpc, serving
from lab.apps.conduct import Conduct

CATALOG_TIMEOUT = 2.0
ITEM = f"/{rpc.CATALOG}/Item"


async def open_front(stack: AsyncExitStack, conduct: Conduct, port: int, catalog_address: str) -> int:
    here = place.from_env(os.environ)
    channel = rpc.connect(catalog_address)
    stack.push_async_callback(channel.close, None)

    async def index(request: web.Request) -> web.Response:
        await conduct.delay()
        body: dict[str, Any] = {
            "app": "front",
            **here.fields(),
            "client": request.headers.get("l5d-client-id", ""),
            "path": request.path_qs,
        }
        if conduct.should_fail():
            return web.json_response({**body, "error": "failed on purpose (failShare)"}, status=500)
        try:
            body["catalog"] = await rpc.call(channel, ITEM, {"item": "tea"}, CATALOG_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            body["error"] = {"dependency": "catalog", "address": catalog_address, "reason": reason}
            return web.json_response(body, status=502)
        return web.json_response(body)

    app = web.Application()
    conducting.add_routes(app, conduct)
    app.router.add_get("/{path:.*}", index)
    return await serving.listen_http(stack, app, port)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="front", description="HTTP server of the shop")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--catalog", default="catalog:9000", help="host:port of catalog")
    serving.add_conduct_arguments(parser)
    args = parser.parse_args(argv)
    conduct = serving.conduct_from(args)

    async def setup(stack: AsyncExitStack) -> None:
        await open_front(stack, conduct, args.port, args.catalog)

    return serving.run(setup, conduct, args.drain_ms)
