"""stock: the shop's last hop, a line protocol over plain TCP (opaque to every proxy).

A request is one line naming an item, the reply one line of JSON. Its caller is `catalog`; there are no
headers, so it cannot see who calls.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack

from lab.apps import place, serving
from lab.apps.conduct import Conduct
from lab.apps.lines import listen_lines


async def open_stock(stack: AsyncExitStack, conduct: Conduct, port: int) -> int:
    here = place.from_env(os.environ)

    async def answer(line: str) -> str | None:
        await conduct.delay()
        if conduct.should_fail():
            return None
        return json.dumps({"app": "stock", **here.fields(), "item": line, "left": 7})

    return await listen_lines(stack, answer, port)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="stock", description="TCP line server of the shop")
    parser.add_argument("--port", type=int, default=7000)
    parser.add_argument("--admin-port", type=int, default=8081, help="/live, /ready and /control")
    serving.add_conduct_arguments(parser)
    args = parser.parse_args(argv)
    conduct = serving.conduct_from(args)

    async def setup(stack: AsyncExitStack) -> None:
        await asyncio.gather(
            open_stock(stack, conduct, args.port), serving.listen_admin(stack, conduct, args.admin_port)
        )

    return serving.run(setup, conduct, args.drain_ms)
