"""The control socket of init: accepts clients, reads requests, sends replies and events.

An operation is a function (request) -> result, or one that takes a `Reply` and answers later. Errors go
back as type, message and remedy. A subscriber that does not read is dropped and has to list again.
"""

import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.state import short_path
from lab.engines.embedded import wire
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.wire import Message

BACKLOG = 64


class Reply:
    """The right to answer one request, at once or later, exactly once."""

    def __init__(self, server: "Server", sock: socket.socket, number: int) -> None:
        self._server, self._sock, self._number = server, sock, number

    def ok(self, result: Any = None, fds: tuple[int, ...] = ()) -> None:
        """Answer with a result and, beside it, descriptors (which stay open here)."""
        self._server.post(self._sock, {"n": self._number, "ok": result}, fds)

    def fail(self, error: Exception) -> None:
        """Answer with an error; one that is not meant for users is logged with its traceback."""
        if not isinstance(error, LabError) and type(error).__name__ != "UnknownImage":
            traceback.print_exception(error, file=sys.stderr)
        kind = type(error).__name__
        remedy = getattr(error, "remedy", "")
        body = {"type": kind, "message": str(error) or kind, "remedy": remedy}
        self._server.post(self._sock, {"n": self._number, "error": body})

    def done(self, outcome: Any) -> None:
        """Answer with whatever it is: an exception is a failure."""
        if isinstance(outcome, Exception):
            self.fail(outcome)
        else:
            self.ok(outcome)

    def subscribe(self, cluster: str) -> None:
        """From now on this client gets the cluster's events."""
        self._server.subscribers.setdefault(self._sock, set()).add(cluster)


Operation = Callable[[Message, list[int], Reply], None]


class Server:
    """All control connections."""

    def __init__(self, loop: Loop, path: Path, operations: dict[str, Operation]) -> None:
        self._loop = loop
        self._operations = operations
        self.subscribers: dict[socket.socket, set[str]] = {}
        self._listener = wire.make_socket()
        path.unlink(missing_ok=True)
        with short_path(path) as short:
            self._listener.bind(short)
        path.chmod(0o600)
        self._listener.listen(BACKLOG)
        loop.on_readable(self._listener.fileno(), self._accept)

    def publish(self, cluster: str, event: Message) -> None:
        """Send an event to everyone who follows the cluster."""
        for sock in [s for s, clusters in self.subscribers.items() if cluster in clusters]:
            self.post(sock, {"event": event})

    def post(self, sock: socket.socket, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send one packet without waiting; a client that cannot take it is dropped."""
        if sock.fileno() < 0:
            return
        try:
            wire.send(sock, message, fds)
        except OSError as error:
            print(f"control client dropped: {error}", file=sys.stderr)  # noqa: T201 (init's log is stderr)
            self._drop(sock)

    def _accept(self) -> None:
        sock, _address = self._listener.accept()
        sock.setblocking(False)
        wire.grow(sock)
        self._loop.on_readable(sock.fileno(), lambda: self._read(sock))

    def _read(self, sock: socket.socket) -> None:
        try:
            packet = wire.receive(sock)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            print(f"control client dropped: {error}", file=sys.stderr)  # noqa: T201
            packet = None
        if packet is None:
            self._drop(sock)
            return
        request, fds = packet
        reply = Reply(self, sock, request.get("n", 0))
        try:
            self._operation(request)(request, fds, reply)
        except Exception as error:  # noqa: BLE001 (one bad request must not end PID 1; the client gets it)
            reply.fail(error)
            for fd in fds:
                _close_quietly(fd)

    def _operation(self, request: Message) -> Operation:
        name = request.get("op", "")
        if name not in self._operations:
            known = ", ".join(sorted(self._operations))
            raise LabError(f"the lab's init knows no operation {name!r}; it knows {known}")
        return self._operations[name]

    def _drop(self, sock: socket.socket) -> None:
        self.subscribers.pop(sock, None)
        if sock.fileno() >= 0:
            self._loop.forget(sock.fileno())
            sock.close()


def _close_quietly(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return
