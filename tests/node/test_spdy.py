"""SPDY/3.1 framing against its own other half, and the constants that must match other implementations."""

import zlib

import pytest

from lab.pocket.node.api.spdy import PING, RST_STREAM, SYN_STREAM, Codec, Session, SpdyError
from lab.pocket.node.api.spdy_dictionary import DICTIONARY


def test_dictionary_has_the_checksum_that_every_spdy3_header_block_carries() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_headers_of_several_streams_survive_the_shared_compression() -> None:
    client, server = Codec(), Codec()
    sent = [{"streamtype": "error"}, {"streamtype": "stdout", "port": "80"}]
    frames = [server.feed(client.syn_stream(n, h))[0] for n, h in zip((1, 3), sent, strict=True)]
    assert [(f.type, f.stream, f.headers) for f in frames] == [
        (SYN_STREAM, 1, sent[0]),
        (SYN_STREAM, 3, sent[1]),
    ]


def test_frames_cut_at_every_byte_are_put_together_again() -> None:
    client, server = Codec(), Codec()
    raw = client.syn_stream(1, {"a": "b"}) + client.data(1, b"hello", fin=True) + client.reset(1, 5)
    frames = [frame for i in range(len(raw)) for frame in server.feed(raw[i : i + 1])]
    assert [(f.type, f.data, f.fin) for f in frames] == [
        (SYN_STREAM, b"", False),
        (0, b"hello", True),
        (RST_STREAM, b"", False),
    ]


def test_another_version_is_refused() -> None:
    with pytest.raises(SpdyError, match="version 2"):
        Codec().feed(b"\x80\x02\x00\x01\x00\x00\x00\x00")


async def test_session_answers_pings_and_opens_streams() -> None:
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    session, client = Session(send), Codec()
    await session.feed(client.ping(b"\0\0\0\1") + client.syn_stream(1, {"streamtype": "data"}))
    await session.feed(client.data(1, b"in", fin=True))
    stream = await anext(session.streams())
    assert [chunk async for chunk in stream.chunks()] == [b"in"]
    assert client.feed(sent[0])[0].type == PING
