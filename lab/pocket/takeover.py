"""Takes a connection away from the HTTP server once it was upgraded: raw bytes in and out.

Used by the API server, which passes streams on to the node, and by the node, which speaks SPDY on
them. aiohttp knows this for WebSocket only; its parser seam serves for any protocol.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

UNREAD = 1 << 20
"""Bytes that may pile up before the socket is held back."""


class Incoming:
    """Stands where the HTTP parser stood and hands on raw bytes; b"" means that the client has gone."""

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


class Takeover:
    """An upgraded connection; `response` is what the HTTP handler must return in the end."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse, incoming: Incoming) -> None:
        self._request, self._incoming = request, incoming
        self.response = response

    async def read(self) -> bytes:
        """The next bytes, b"" at the end."""
        return await self._incoming.read()

    async def send(self, data: bytes) -> None:
        """Write; raises ConnectionResetError when the client has gone."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        await self._request.protocol._drain_helper()


async def take_over(request: web.BaseRequest, headers: Mapping[str, str]) -> Takeover:
    """Answer 101 with these headers and take the connection."""
    if request.transport is None:
        raise ConnectionResetError("the client has gone before its upgrade")
    response = web.StreamResponse(status=101, headers=dict(headers))
    await response.prepare(request)
    incoming = Incoming(request.transport)
    protocol: Any = request.protocol  # its parser seam is typed for its own WebSocket reader only
    protocol.set_parser(incoming)
    response.force_close()
    return Takeover(request, response, incoming)
