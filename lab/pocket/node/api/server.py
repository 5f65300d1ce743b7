"""The kubelet HTTP API on a Unix socket: the API server's way to logs, exec, attach and port-forward."""

import asyncio
from pathlib import Path

from aiohttp import web

from lab.base.state import short_path
from lab.pocket.node.api.logs import container_logs
from lab.pocket.node.api.streaming import attach, execute, port_forward
from lab.pocket.node.api.target import KIT, PODS
from lab.pocket.node.kit import Kit
from lab.pocket.node.pods import Pods

SHUTDOWN_SECONDS = 0.1
"""Open streams of clients are cut when the node stops; the containers live on."""


async def serve(socket: Path, pods: Pods, kit: Kit) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(make_app(pods, kit), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    _clear(socket)
    try:
        with short_path(socket) as address:
            await web.UnixSite(runner, address).start()
        _protect(socket)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        _clear(socket)


def _clear(socket: Path) -> None:
    """A socket file outlives its process; the next one could not bind."""
    socket.unlink(missing_ok=True)


def _protect(socket: Path) -> None:
    socket.chmod(0o600)


def make_app(pods: Pods, kit: Kit) -> web.Application:
    app = web.Application()
    app[PODS], app[KIT] = pods, kit
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", container_logs)
    for method in ("GET", "POST"):
        app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", execute)
        app.router.add_route(method, "/attach/{namespace}/{pod}/{container}", attach)
        app.router.add_route(method, "/portForward/{namespace}/{pod}", port_forward)
    return app


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")
