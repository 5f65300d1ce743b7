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


async def serve(socket: Path, pods: Pods, kit: Kit) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(make_app(pods, kit), access_log=None)
    await runner.setup()
    socket.unlink(missing_ok=True)
    try:
        with short_path(socket) as address:
            await web.UnixSite(runner, address).start()
        socket.chmod(0o600)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        socket.unlink(missing_ok=True)


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
