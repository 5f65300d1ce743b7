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

# Numbers of Linux that Python's socket module does not name: <asm/socket.h>, <linux/if_packet.h>
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
    """Reads one link, from when it is made."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray(SNAP_LENGTH)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        with contextlib.suppress(PermissionError):  # beyond the system's limit only for root
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        if sock.getsockname()[0] == LOOPBACK:  # where each packet would be seen leaving and arriving
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        with contextlib.suppress(BlockingIOError):  # what came before all of this was said
            while True:
                sock.recv_into(self._buffer)

    def packets(self, reader: int) -> Iterator[Packet | None]:
        """Packets as they come, and None whenever there is a pause. Raises BrokenPipeError when nobody reads
        any more what is written to the descriptor `reader`.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(reader, 0)  # errors only
        while True:
            ready = dict(poll.poll(POLL_SECONDS * 1000))
            if ready.get(reader, 0) & select.POLLERR:
                raise BrokenPipeError
            try:
                while True:
                    yield self._receive()
            except BlockingIOError:
                yield None

    def dropped(self) -> int:
        """Packets that the kernel dropped since the last call because they were not read in time."""
        _seen, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(lost)

    def _receive(self) -> Packet:
        length, ancillary, _flags, _from = self._socket.recvmsg_into(
            [self._buffer], socket.CMSG_SPACE(16), socket.MSG_TRUNC
        )
        stamp = time.time_ns()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value)
                stamp = seconds * 1_000_000_000 + nanoseconds
        return Packet(stamp, bytes(self._buffer[:length]), length)
