"""catalog: the shop's middle hop, gRPC in, plain TCP out to stock.

Replies carry its own place, the client identity its proxy vouches for, and stock's place.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack

import grpc

from lab.apps import place, rpc, serving
from lab.apps.conduct import Conduct
from lab.apps.lines import LineClient

STOCK_TIMEOUT = 1.5


async def open_catalog(stack: AsyncExitStack, conduct: Conduct, port: int, stock_address: str) -> int:
    here = place.from_env(os.environ)
    stock = LineClient(stock_address)
    stack.callback(stock.close)

    async def item(asked: rpc.Reply, context: rpc.Context) -> rpc.Reply:
        await conduct.delay()
        if conduct.should_fail():
            await context.abort(grpc.StatusCode.INTERNAL, "catalog: failed on purpose (failShare)")
        try:
            line = await stock.ask(str(asked.get("item", "tea")), STOCK_TIMEOUT)
        except (OSError, TimeoutError) as error:
            reason = str(error) or f"no reply within {STOCK_TIMEOUT} s"
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"stock at {stock_address}: {reason}")
        client = rpc.metadata_value(context, "l5d-client-id")
        return {"app": "catalog", **here.fields(), "client": client, "stock": json.loads(line)}

    return await rpc.listen(stack, rpc.CATALOG, {"Item": item}, port)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="catalog", description="gRPC server of the shop")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--admin-port", type=int, default=8081, help="/live, /ready and /control")
    parser.add_argument("--stock", default="stock:7000", help="host:port of stock")
    serving.add_conduct_arguments(parser)
    args = parser.parse_args(argv)
    conduct = serving.conduct_from(args)

    async def setup(stack: AsyncExitStack) -> None:
        await asyncio.gather(
            open_catalog(stack, conduct, args.port, args.stock),
            serving.listen_admin(stack, conduct, args.admin_port),
        )

    return serving.run(setup, conduct, args.drain_ms)
