"""Takes a connection out of HTTP: a raw SPDY/3.1 upgrade, or SPDY bytes inside WebSocket messages.

Both give the handler a `Session` and feed it until the client goes away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from lab.base.log import get_logger
from lab.pocket.node.api.spdy import Session, SpdyError

log = get_logger(__name__)
Serve = Callable[[Session], Awaitable[None]]
UNREAD = 1 << 20


class _Incoming:
    """Stands where the HTTP parser stood: hands on raw bytes, and holds the socket back when they pile up."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._size = 0

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by the server's protocol for every piece that arrives."""
        self._queue.put_nowait(data)
        self._size += len(data)
        if self._size > UNREAD:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """Called by the server's protocol when the client has gone."""
        self._queue.put_nowait(b"")

    def set_exception(self, error: BaseException, cause: BaseException | None = None) -> None:
        """Called by the server's protocol when the connection broke."""
        self._queue.put_nowait(b"")

    async def read(self) -> bytes:
        data = await self._queue.get()
        if self._size > UNREAD >= self._size - len(data):
            self._transport.resume_reading()
        self._size -= len(data)
        return data


async def over_spdy(request: web.Request, headers: Mapping[str, str], serve: Serve) -> web.StreamResponse:
    """Answer 101 and serve SPDY on the connection itself."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone before its upgrade")
    response = web.StreamResponse(
        status=101, headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1", **headers}
    )
    await response.prepare(request)
    incoming = _Incoming(transport)
    protocol: Any = request.protocol  # its parser seam is typed for its own WebSocket reader only
    protocol.set_parser(incoming)

    async def send(data: bytes) -> None:
        if transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        await request.protocol._drain_helper()

    await _pump(Session(send), incoming.read, serve)
    response.force_close()
    return response


async def over_websocket(request: web.Request, protocol: str, serve: Serve) -> web.StreamResponse:
    """Serve SPDY inside the binary messages of a WebSocket."""
    socket = web.WebSocketResponse(protocols=(protocol,), max_msg_size=0, compress=False)
    await socket.prepare(request)

    async def read() -> bytes:
        while True:
            message = await socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return b""
            if message.type in (WSMsgType.BINARY, WSMsgType.TEXT) and message.data:
                return message.data if isinstance(message.data, bytes) else message.data.encode()

    await _pump(Session(socket.send_bytes), read, serve)
    await socket.close()
    return socket


async def _pump(session: Session, read: Callable[[], Awaitable[bytes]], serve: Serve) -> None:
    """Serve until the handler is done or the client is gone, whichever comes first."""

    async def feed() -> None:
        try:
            while data := await read():
                await session.feed(data)
        except SpdyError as error:
            log.info("a stream client was dropped", error=error)
        finally:
            await session.end()

    feeder = asyncio.create_task(feed())
    try:
        await serve(session)
        if not session.closed.is_set():
            await session.goaway()
    except ConnectionError as error:
        log.info("a stream client went away", error=error)
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)
