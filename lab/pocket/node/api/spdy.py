"""SPDY/3.1 as Kubernetes clients use it: frames in and out, streams without flow control.

`Codec` is pure; `Session` keeps the streams of one connection and sends through a function it is given,
so the same code serves a raw upgrade and a tunnel inside WebSocket messages.
"""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from lab.base.errors import LabError
from lab.pocket.node.api.spdy_dictionary import DICTIONARY

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 2, 3, 4, 6, 7
FIN = 0x01
MAX_FRAME = 1 << 24
CHUNK = 32 * 1024
WAITING_CHUNKS = 256
Send = Callable[[bytes], Awaitable[None]]


class SpdyError(LabError):
    """The peer does not speak SPDY/3.1."""


@dataclass(frozen=True)
class Frame:
    """One frame that matters to us; `type` is one of the constants above, or 0 for data."""

    type: int
    stream: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes = b""
    fin: bool = False


class Codec:
    """Both directions of one connection; header compression carries state from frame to frame."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises SpdyError for what is no SPDY/3."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[5:8], "big")
            if len(self._buffer) < 8 + length:
                break
            head, payload = bytes(self._buffer[:8]), bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if frame := self._decode(head, payload):
                frames.append(frame)
        return frames

    def syn_stream(self, stream: int, headers: Mapping[str, str]) -> bytes:
        return _control(SYN_STREAM, 0, struct.pack("!IIBB", stream, 0, 0, 0) + self._pack(headers))

    def syn_reply(self, stream: int, headers: Mapping[str, str]) -> bytes:
        return _control(SYN_REPLY, 0, struct.pack("!I", stream) + self._pack(headers))

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        return struct.pack("!II", stream, len(data) | (FIN << 24 if fin else 0)) + data

    def reset(self, stream: int, status: int) -> bytes:
        return _control(RST_STREAM, 0, struct.pack("!II", stream, status))

    def ping(self, payload: bytes) -> bytes:
        return _control(PING, 0, payload)

    def goaway(self, last_stream: int) -> bytes:
        return _control(GOAWAY, 0, struct.pack("!II", last_stream, 0))

    def _decode(self, head: bytes, payload: bytes) -> Frame | None:
        first, flags = int.from_bytes(head[:4], "big"), head[4]
        fin = bool(flags & FIN)
        if not first >> 31:
            return Frame(0, first, data=payload, fin=fin)
        if first >> 16 & 0x7FFF != VERSION:
            raise SpdyError(f"SPDY version {first >> 16 & 0x7FFF} where {VERSION} is spoken")
        kind = first & 0xFFFF
        try:
            stream = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
            if kind == SYN_STREAM:
                return Frame(kind, stream, self._unpack(payload[10:]), fin=fin)
            if kind == SYN_REPLY:
                return Frame(kind, stream, self._unpack(payload[4:]), fin=fin)
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a SPDY header block cannot be read: {error}") from error
        if kind in (RST_STREAM, GOAWAY):
            return Frame(kind, stream)
        return Frame(kind, data=payload) if kind == PING else None

    def _pack(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack("!I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack("!I", len(text)) + text
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _unpack(self, compressed: bytes) -> dict[str, str]:
        block = self._inflate.decompress(compressed, MAX_FRAME)
        (count,) = struct.unpack_from("!I", block)
        texts, offset = [], 4
        for _ in range(count * 2):
            (length,) = struct.unpack_from("!I", block, offset)
            texts.append(block[offset + 4 : offset + 4 + length].decode())
            offset += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


class Stream:
    """One stream that the client opened."""

    def __init__(self, number: int, headers: Mapping[str, str], session: "Session") -> None:
        self.number, self.headers, self._session = number, headers, session
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_CHUNKS)
        self._is_closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """What the client sends, until it half-closes."""
        while (data := await self._incoming.get()) is not None:
            yield data

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            await self._session.send_data(self.number, data[start : start + CHUNK])

    async def close(self) -> None:
        """Half-close: nothing more comes from us."""
        if not self._is_closed:
            self._is_closed = True
            await self._session.send_data(self.number, b"", fin=True)

    async def put(self, data: bytes | None) -> None:
        """Hand in what arrived; None = the client is done."""
        await self._incoming.put(data)


class Session:
    """The server's side of one SPDY connection."""

    def __init__(self, send: Send) -> None:
        self._send, self._codec = send, Codec()
        self._streams: dict[int, Stream] = {}
        self._opened: asyncio.Queue[Stream | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def streams(self) -> AsyncIterator[Stream]:
        """Streams as the client opens them, until the connection ends."""
        while (stream := await self._opened.get()) is not None:
            yield stream

    async def feed(self, data: bytes) -> None:
        """Take in bytes from the client; waits while a reader of ours is slow."""
        for frame in self._codec.feed(data):
            await self._handle(frame)

    async def end(self) -> None:
        """The connection is gone: every reader sees the end."""
        if not self.closed.is_set():
            self.closed.set()
            await self._opened.put(None)
            for stream in self._streams.values():
                await stream.put(None)

    async def goaway(self) -> None:
        await self._send(self._codec.goaway(max(self._streams, default=0)))

    async def send_data(self, number: int, data: bytes, *, fin: bool = False) -> None:
        if not self.closed.is_set():
            await self._send(self._codec.data(number, data, fin=fin))

    async def _handle(self, frame: Frame) -> None:
        stream = self._streams.get(frame.stream)
        if frame.type == SYN_STREAM:
            stream = self._streams[frame.stream] = Stream(frame.stream, frame.headers, self)
            await self._send(self._codec.syn_reply(frame.stream, {}))
            await self._opened.put(stream)
            if frame.fin:
                await stream.put(None)
        elif frame.type == PING:
            await self._send(self._codec.ping(frame.data))
        elif frame.type == GOAWAY:
            await self.end()
        elif stream is not None and frame.type == RST_STREAM:
            await stream.put(None)
        elif stream is not None and frame.type == 0:
            if frame.data:
                await stream.put(frame.data)
            if frame.fin:
                await stream.put(None)


def _control(kind: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("!II", 1 << 31 | VERSION << 16 | kind, flags << 24 | len(payload)) + payload
