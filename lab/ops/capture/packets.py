"""Packets from a raw socket, each with its time and its whole length.

The socket comes from the lab's init, opened inside its namespaces; reading it needs no privileges.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from lab.ops.capture.pcap import SNAP_LENGTH

SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
BUFFER = 32 << 20
POLL_SECONDS = 0.25
LOOPBACK = "lo"


@dataclass(frozen=True)
class Packet:
    """`data` may be shorter than the `length` that the packet had on the link."""

    nanoseconds: int
    data: bytes
    length: int


class Tap:
    """Reads one link."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        with contextlib.suppress(PermissionError):  # beyond the system's limit only for root
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        if sock.getsockname()[0] == LOOPBACK:  # where each packet would be seen leaving and arriving
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)

    def packets(self, until: float) -> Iterator[Packet | None]:
        """Packets as they come until the monotonic clock says `until`; None whenever there is a pause."""
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._socket], [], [], min(left, POLL_SECONDS))
            if not ready:
                yield None
                continue
            try:
                while time.monotonic() < until:
                    yield self._receive()
            except BlockingIOError:
                continue

    def dropped(self) -> int:
        """Packets that the kernel dropped since the last call because they were not read in time."""
        _seen, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(lost)

    def _receive(self) -> Packet:
        data, ancillary, _flags, _from = self._socket.recvmsg(
            SNAP_LENGTH, socket.CMSG_SPACE(16), socket.MSG_TRUNC
        )
        stamp = time.time_ns()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value)
                stamp = seconds * 1_000_000_000 + nanoseconds
        return Packet(stamp, data, len(data))
