"""Netlink attributes as bytes: the alphabet of nftables messages. Pure."""

import struct

NESTED = 0x8000


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute: length, type, payload, padded to four bytes."""
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + b"\0" * (-length % 4)


def nested(kind: int, *children: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(children))


def text(kind: int, value: str) -> bytes:
    """A zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """A 32-bit number in network order, negative ones as two's complement."""
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def parse(data: bytes) -> dict[int, bytes]:
    """The attributes of a message by type; of repeated ones the last."""
    return dict(parse_all(data))


def parse_all(data: bytes) -> list[tuple[int, bytes]]:
    """The attributes of a message in order."""
    found, offset = [], 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found.append((kind & 0x3FFF, data[offset + 4 : offset + length]))
        offset += (length + 3) & ~3
    return found
