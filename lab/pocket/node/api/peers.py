"""The far end of an exec or attach: the same five channels over WebSocket messages or SPDY streams."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from lab.pocket.node.api.spdy import Session, Stream

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
OPEN_SECONDS = 30.0


@dataclass(frozen=True)
class Wish:
    """Which channels the client wants."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @classmethod
    def of(cls, request: web.Request) -> "Wish":
        def flag(key: str) -> bool:
            return request.query.get(key, "").lower() in ("1", "true")

        wish = cls(flag("stdin"), flag("stdout"), flag("stderr") and not flag("tty"), flag("tty"))
        if not (wish.stdin or wish.stdout or wish.stderr):
            raise web.HTTPBadRequest(text="you must specify at least 1 of stdin, stdout, stderr")
        return wish


class Peer(Protocol):
    """A client of an exec or attach."""

    def stdin(self) -> AsyncIterator[bytes]:
        """What the client types, until it closes the channel."""
        ...

    def sizes(self) -> AsyncIterator[tuple[int, int]]:
        """Terminal sizes as (columns, rows)."""
        ...

    async def write(self, channel: int, data: bytes) -> None:
        """Send output; a channel that the client did not ask for is left out."""

    async def finish(self, status: dict[str, Any]) -> None:
        """Say how it ended; nothing follows."""


class WebSocketPeer:
    """Channel number in the first byte of each message; v5 adds the closing of stdin."""

    def __init__(self, socket: web.WebSocketResponse, wish: Wish) -> None:
        self._socket, self._wish = socket, wish
        self._stdin: asyncio.Queue[bytes | None] = asyncio.Queue(64)
        self._sizes: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

    async def read(self) -> None:
        """Sort what arrives into channels, until the client goes away."""
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
                continue
            raw = message.data.encode() if message.type == WSMsgType.TEXT else message.data
            channel, data = raw[0], raw[1:]
            if channel == STDIN and data:
                await self._stdin.put(data)
            elif channel == CLOSE and data[:1] == bytes([STDIN]):
                await self._stdin.put(None)
            elif channel == RESIZE:
                self._sizes.put_nowait(_size(data))
        await self._stdin.put(None)
        self._sizes.put_nowait(None)

    async def stdin(self) -> AsyncIterator[bytes]:
        while (data := await self._stdin.get()) is not None:
            yield data

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        while (size := await self._sizes.get()) is not None:
            yield size

    async def write(self, channel: int, data: bytes) -> None:
        wanted = {STDOUT: self._wish.stdout, STDERR: self._wish.stderr}
        if wanted.get(channel, True):
            await self._socket.send_bytes(bytes([channel]) + data)

    async def finish(self, status: dict[str, Any]) -> None:
        await self._socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
        await self._socket.close()


class SpdyPeer:
    """One SPDY stream per channel, named by the header `streamType`."""

    def __init__(self, session: Session, streams: dict[str, Stream]) -> None:
        self._session, self._streams = session, streams

    @classmethod
    async def open(cls, session: Session, wish: Wish) -> "SpdyPeer":
        """Wait until the client has opened every stream it asked for. Raises TimeoutError."""
        wanted = {"error"}
        wanted |= {kind for kind in ("stdin", "stdout", "stderr") if getattr(wish, kind)}
        wanted |= {"resize"} if wish.tty else set()
        streams: dict[str, Stream] = {}
        async with asyncio.timeout(OPEN_SECONDS):
            async for stream in session.streams():
                streams[stream.headers.get("streamtype", "")] = stream
                if wanted <= streams.keys():
                    return cls(session, streams)
        raise ConnectionResetError("the client went away before it opened its streams")

    async def stdin(self) -> AsyncIterator[bytes]:
        if stream := self._streams.get("stdin"):
            async for data in stream.chunks():
                yield data

    async def sizes(self) -> AsyncIterator[tuple[int, int]]:
        if stream := self._streams.get("resize"):
            async for data in stream.chunks():
                yield _size(data)

    async def write(self, channel: int, data: bytes) -> None:
        if stream := self._streams.get({STDOUT: "stdout", STDERR: "stderr"}[channel]):
            await stream.write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        for kind in ("stdout", "stderr"):
            if stream := self._streams.get(kind):
                await stream.close()
        await self._streams["error"].write(json.dumps(status).encode())
        await self._streams["error"].close()


def exit_status(code: int) -> dict[str, Any]:
    """The metav1.Status that tells an exit code."""
    if code == 0:
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> dict[str, Any]:
    """The metav1.Status of a command that could not be run."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": message,
        "code": 500,
    }


def _size(data: bytes) -> tuple[int, int]:
    try:
        size = json.loads(data)
        return int(size.get("Width", 0)), int(size.get("Height", 0))
    except (ValueError, AttributeError):
        return 0, 0
