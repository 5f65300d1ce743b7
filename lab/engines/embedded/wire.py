"""How init and its clients talk: one JSON object per SOCK_SEQPACKET packet, descriptors beside it.

Requests: {"n", "op", ...}. Replies: {"n", "ok": result} or {"n", "error": {"type", "message", "remedy"}}.
Events go to subscribers as {"event": …}. Used by init (control server), the CLI and node processes.
"""

import array
import json
import socket
from typing import Any

Message = dict[str, Any]

MAX_PACKET = 400_000
MAX_FDS = 16
BUFFER = 1 << 20


def make_socket() -> socket.socket:
    """A socket of the control protocol's type, with room for large packets."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    grow(sock)
    return sock


def grow(sock: socket.socket) -> None:
    """Ask for large buffers; the kernel caps the request at its own limit."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)


def send(sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
    """Send one packet; on a non-blocking socket BlockingIOError means that the peer does not read."""
    payload = json.dumps(message, separators=(",", ":")).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([payload], ancillary)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """Receive one packet with its descriptors; None when the peer is gone."""
    size = socket.CMSG_LEN(MAX_FDS * array.array("i").itemsize)
    payload, ancillary, _flags, _address = sock.recvmsg(MAX_PACKET, size, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    if not payload:
        return None
    return json.loads(payload), list(fds)
