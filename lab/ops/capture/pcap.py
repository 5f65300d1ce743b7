"""The file format of packet captures: pcap with times in nanoseconds. Pure.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
"""

import struct

MAGIC_NANOSECONDS = 0xA1B23C4D
ETHERNET = 1
SNAP_LENGTH = 262_144
"""Bytes kept of a packet: more than any packet of the lab has, segments not yet split included."""


def header() -> bytes:
    """The beginning of a file."""
    return struct.pack("<IHHiIII", MAGIC_NANOSECONDS, 2, 4, 0, 0, SNAP_LENGTH, ETHERNET)


def record(nanoseconds: int, data: bytes, length: int) -> bytes:
    """One packet: when it passed (Unix time), what was kept of it, and how long it was."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return struct.pack("<IIII", seconds, rest, len(data), length) + data
