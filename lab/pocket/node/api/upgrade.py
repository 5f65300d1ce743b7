"""Takes a connection out of HTTP: a raw SPDY/3.1 upgrade, or SPDY bytes inside WebSocket messages.

Both give the handler a `Session` and feed it until the client goes away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import WSMsgType, web

from lab.base.log import get_logger
from lab.pocket.node.api.spdy import Session, SpdyError
from lab.pocket.takeover import take_over

log = get_logger(__name__)
Serve = Callable[[Session], Awaitable[None]]


async def over_spdy(request: web.Request, headers: Mapping[str, str], serve: Serve) -> web.StreamResponse:
    """Answer 101 and serve SPDY on the connection itself."""
    taken = await take_over(request, {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", **headers})
    await _pump(Session(taken.send), taken.read, serve)
    return taken.response


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
