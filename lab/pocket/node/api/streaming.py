"""Exec, attach and port-forward: picks the protocol that the client offers and runs the session."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import BinaryIO

from aiohttp import web

from lab.base.errors import LabError
from lab.base.wait import pause
from lab.kube.objects import uid
from lab.pocket.node.api import forwarding
from lab.pocket.node.api.peers import (
    STDERR,
    STDOUT,
    Peer,
    SpdyPeer,
    WebSocketPeer,
    Wish,
    exit_status,
    failure_status,
)
from lab.pocket.node.api.spdy import Session
from lab.pocket.node.api.target import KIT, pod_of, running_of
from lab.pocket.node.api.upgrade import over_spdy, over_websocket
from lab.pocket.node.execs import Execs
from lab.pocket.node.pipes import chunks, write
from lab.pocket.node.tracked import Tracked

CHANNELS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
)
SPDY_CHANNELS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
TUNNELS = ("SPDY/3.1+portforward.k8s.io", "v2.portforward.k8s.io")
FORWARD = "portforward.k8s.io"
POLL = 0.02
Serve = Callable[[Peer], Awaitable[None]]


async def execute(request: web.Request) -> web.StreamResponse:
    """Run `command` in a running container."""
    _, tracked = running_of(request)
    argv = request.query.getall("command", [])
    if not argv:
        raise web.HTTPBadRequest(text="you must specify at least 1 command for the container")
    execs, container_id, wish = request.app[KIT].execs, tracked.id, Wish.of(request)

    async def serve(peer: Peer) -> None:
        await run_command(execs, (container_id, argv), wish, peer)

    return await _with_peer(request, wish, serve)


async def attach(request: web.Request) -> web.StreamResponse:
    """Connect to a running container: its output from now on and, if it reads any, its input."""
    worker, tracked = running_of(request)
    path = worker.folder.log_path(tracked.name, tracked.attempts[-1].number)
    kit, wish, container_id = request.app[KIT], Wish.of(request), tracked.id
    log = path.open("rb")
    log.seek(0, os.SEEK_END)

    async def serve(peer: Peer) -> None:
        tasks = [asyncio.create_task(_resize(peer, kit.execs, container_id))]
        try:
            if wish.stdin and tracked.spec.get("stdin"):
                stdin = await kit.runtime.attach(container_id)
                tasks.append(asyncio.create_task(_type(peer, stdin, wish)))
            await _show_log(peer, log, tracked)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    with log:
        return await _with_peer(request, wish, serve)


async def _show_log(peer: Peer, log: BinaryIO, tracked: Tracked) -> None:
    """What the current attempt writes, and in the end how it ended."""
    number = tracked.attempts[-1].number
    while True:
        over = tracked.attempts[-1].number != number or not tracked.view().running
        while data := log.read(65536):
            await peer.write(STDOUT, data)
        if over:
            code = next((a.exit_code for a in tracked.attempts if a.number == number), 0)
            await peer.finish(exit_status(code or 0))
            return
        await pause(POLL)


async def port_forward(request: web.Request) -> web.StreamResponse:
    """Connect streams of the client to ports of the pod."""
    pod = uid(pod_of(request).pod)
    connect = partial(forwarding.connect, request.app[KIT].runtime, pod)

    async def serve(session: Session) -> None:
        await forwarding.over_spdy(session, connect)

    if not _is_websocket(request):
        _require_spdy(request)
        return await over_spdy(request, {"X-Stream-Protocol-Version": FORWARD}, serve)
    offered = _offered(request, "Sec-WebSocket-Protocol")
    if tunnel := next((protocol for protocol in TUNNELS if protocol in offered), ""):
        return await over_websocket(request, tunnel, serve)
    return await forwarding.over_channels(request, connect)


async def run_command(execs: Execs, command: tuple[str, list[str]], wish: Wish, peer: Peer) -> None:
    """Start (container id, argv), connect it to the peer, and tell the peer how it ended."""
    try:
        started = await execs.open(*command, tty=wish.tty)
    except LabError as error:
        await peer.finish(failure_status(str(error)))
        return
    if wish.tty:
        stdin, outputs = os.dup(started.fds[0]), {STDOUT: started.fds[0]}
    else:
        stdin, outputs = started.fds[0], {STDOUT: started.fds[1], STDERR: started.fds[2]}
    typing = asyncio.create_task(_type(peer, stdin, wish))
    sizing = asyncio.create_task(_resize(peer, execs, started.id))
    showing = [asyncio.create_task(_show(peer, channel, fd)) for channel, fd in outputs.items()]
    try:
        await asyncio.gather(*showing)
        await peer.finish(exit_status(await execs.end(started.id)))
    finally:
        for task in (typing, sizing, *showing):
            task.cancel()
        await asyncio.gather(typing, sizing, *showing, return_exceptions=True)


async def _type(peer: Peer, fd: int, wish: Wish) -> None:
    """Client's input to the command; owns the descriptor."""
    try:
        if wish.stdin:
            async for data in peer.stdin():
                if not await write(fd, data):
                    return
        if wish.tty:
            await asyncio.Event().wait()  # a terminal stays open until the command ends
    finally:
        os.close(fd)


async def _show(peer: Peer, channel: int, fd: int) -> None:
    async for data in chunks(fd):
        await peer.write(channel, data)


async def _resize(peer: Peer, execs: Execs, exec_id: str) -> None:
    async for columns, rows in peer.sizes():
        if columns and rows:
            await execs.resize(exec_id, columns, rows)


async def _with_peer(request: web.Request, wish: Wish, serve: Serve) -> web.StreamResponse:
    if _is_websocket(request):
        socket = web.WebSocketResponse(protocols=CHANNELS, max_msg_size=0, compress=False)
        await socket.prepare(request)
        peer = WebSocketPeer(socket, wish)
        await _until_either(peer.read(), serve(peer))
        return socket
    _require_spdy(request)

    async def serve_session(session: Session) -> None:
        opened = await SpdyPeer.open(session, wish)
        await _until_either(session.closed.wait(), serve(opened))

    offered = _offered(request, "X-Stream-Protocol-Version")
    chosen = next((p for p in SPDY_CHANNELS if p in offered), "v4.channel.k8s.io")
    return await over_spdy(request, {"X-Stream-Protocol-Version": chosen}, serve_session)


async def _until_either(reading: Awaitable[object], serving: Awaitable[None]) -> None:
    """Serve to the end, or stop when the client goes away."""
    tasks = [asyncio.ensure_future(reading), asyncio.ensure_future(serving)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result


def _is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _require_spdy(request: web.Request) -> None:
    if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
        raise web.HTTPBadRequest(text="unable to upgrade: need a WebSocket or SPDY/3.1 upgrade request")


def _offered(request: web.Request, header: str) -> list[str]:
    return [part.strip() for value in request.headers.getall(header, []) for part in value.split(",")]
