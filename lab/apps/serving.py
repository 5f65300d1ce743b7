"""Runs a demo program until SIGTERM: binds its listeners, drains, closes.

Programs hand in what to serve; this module alone knows about signals and the order of stopping, so that a
deleted pod finishes the requests it has and takes new ones until its endpoint is gone everywhere.
"""

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from ssl import SSLContext

from aiohttp import web

from lab.apps import conduct as conducting
from lab.apps.conduct import Conduct
from lab.base import wait

Setup = Callable[[AsyncExitStack], Awaitable[None]]


def add_conduct_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fail-share", type=float, default=0.0, help="share of requests to fail, 0 to 1")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="milliseconds to wait before a reply")
    parser.add_argument("--drain-ms", type=float, default=300.0, help="how long to serve on after SIGTERM")


def conduct_from(args: argparse.Namespace) -> Conduct:
    return Conduct(fail_share=args.fail_share, delay_ms=args.delay_ms)


async def listen_http(
    stack: AsyncExitStack, app: web.Application, port: int, tls: SSLContext | None = None
) -> int:
    """Serve `app` on all addresses until `stack` closes; the result is the port bound (0 picks one)."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "0.0.0.0", port, backlog=1024, reuse_address=True, ssl_context=tls)
    await site.start()
    bound: int = runner.addresses[0][1]
    return bound


async def listen_admin(stack: AsyncExitStack, conduct: Conduct, port: int) -> int:
    """Serve the probes and the control endpoint on a port of their own (for programs that do not speak
    HTTP).
    """
    app = web.Application()
    conducting.add_routes(app, conduct)
    return await listen_http(stack, app, port)


def run(setup: Setup, conduct: Conduct | None = None, drain_ms: float = 0.0) -> int:
    """Block until SIGTERM or SIGINT, then turn unready, drain and close what `setup` opened."""
    return asyncio.run(_serve(setup, conduct or Conduct(), drain_ms))


async def _serve(setup: Setup, conduct: Conduct, drain_ms: float) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await setup(stack)
        await stop.wait()
        conduct.ready = False
        if drain_ms > 0:
            await wait.pause(drain_ms / 1000)
    return 0
