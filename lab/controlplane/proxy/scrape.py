"""Answers one request: for metrics (asks Envoy's admin interface and translates), or for a new certificate.

The launcher listens and starts a short-lived child per request, so that a pod whose metrics nobody reads
pays for an open socket only. The socket is local; Envoy's port 4191 stands before it.
"""

import json
import os
import signal
import socket
from pathlib import Path

from lab.controlplane.proxy.envoy import ask
from lab.controlplane.proxy.metrics import exposition

LIMIT = 5
RENEW = b"POST /renew "
"""Asks for a new certificate at once. Port 4191 does not lead here: who asks is in the container."""
_HEAD = "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\n"


def listen(path: Path) -> socket.socket:
    """A socket that never blocks: how the caller learns of requests is its own business."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(16)
    listener.setblocking(False)
    return listener


def accepted(listener: socket.socket) -> socket.socket | None:
    """The next request's connection, if there is one."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None
    connection.settimeout(LIMIT)
    return connection


def answer(connection: socket.socket, admin: Path) -> int:
    """Answer and return 0; runs in a child, which a scrape that hangs does not outlive."""
    signal.alarm(LIMIT)
    request = b""
    while b"\r\n\r\n" not in request:
        if not (chunk := connection.recv(4096)):
            return 0
        request += chunk
    status = "200 OK"
    try:
        body = (_renew() if request.startswith(RENEW) else _metrics(admin)).encode()
    except OSError as error:
        status, body = (
            "503 Service Unavailable",
            f"Envoy's admin interface does not answer: {error}\n".encode(),
        )
    head = _HEAD.format(status=status, length=len(body))
    connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
    return 0


def _metrics(admin: Path) -> str:
    return exposition(
        ask(admin, "GET", "/stats/prometheus?usedonly").decode(),
        json.loads(ask(admin, "GET", "/clusters?format=json")),
    )


def _renew() -> str:
    os.kill(os.getppid(), signal.SIGHUP)
    return "asked for\n"
