"""Carries out one probe or hook: an HTTP GET, a TCP connect, a gRPC health check, a command, or a pause.

Called by probes and by lifecycle hooks. Answers with an outcome; never raises for what the container
does wrong.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.base.errors import LabError
from lab.base.wait import pause
from lab.pocket.node.execs import Execs
from lab.pocket.node.grpchealth import serving
from lab.pocket.node.outcome import Outcome

HEAD_LIMIT = 8192


@dataclass(frozen=True)
class Target:
    """The container that is asked."""

    container: Mapping[str, Any]
    container_id: str
    ip: str


async def perform(
    handler: Mapping[str, Any], target: Target, execs: Execs, timeout: float | None = None
) -> Outcome:
    """Carry out the handler within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await _dispatch(handler, target, execs)
    except TimeoutError:
        return Outcome(False, f"no answer within {timeout or 0:g} s")
    except (OSError, LabError) as error:
        return Outcome(False, str(error))


async def _dispatch(handler: Mapping[str, Any], target: Target, execs: Execs) -> Outcome:
    if request := handler.get("httpGet"):
        return await _http(request, target)
    if socket := handler.get("tcpSocket"):
        _, writer = await _connect(socket.get("host") or target.ip, _port(socket["port"], target))
        writer.close()
        return Outcome(True)
    if command := handler.get("exec"):
        output = await execs.run(target.container_id, command.get("command") or ())
        return Outcome(output.code == 0, output.text.strip()[:1024] or f"exit code {output.code}")
    if (grpc := handler.get("grpc")) is not None:
        return await serving(target.ip, _port(grpc["port"], target), grpc.get("service") or "")
    if "sleep" in handler:
        await pause(float(handler["sleep"]["seconds"]))
        return Outcome(True)
    return Outcome(False, f"no supported handler in {', '.join(handler) or 'an empty handler'}")


async def _connect(
    host: str, port: int, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_connection(host, port, ssl=tls)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise LabError(f"dial tcp {host}:{port}: connect: {why}") from error


async def _http(request: Mapping[str, Any], target: Target) -> Outcome:
    """One GET over a connection of its own: a probe must see what a new client would see."""
    host, port = request.get("host") or target.ip, _port(request["port"], target)
    secure = str(request.get("scheme", "HTTP")).upper() == "HTTPS"
    reader, writer = await _connect(host, port, _unverified() if secure else None)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.34", "Accept": "*/*"}
        headers |= {h["name"]: h["value"] for h in request.get("httpHeaders") or ()}
        head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        path = request.get("path") or "/"
        path = path if path.startswith("/") else f"/{path}"
        writer.write(f"GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        line = await reader.readline()
    finally:
        writer.close()
    fields = line.decode(errors="replace").split()
    if len(fields) < 2 or not fields[1].isdigit():
        return Outcome(False, f"malformed HTTP response {line[:80]!r}")
    code = int(fields[1])
    return Outcome(200 <= code < 400, f"HTTP probe failed with statuscode: {code}")


def _port(port: int | str, target: Target) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for candidate in target.container.get("ports") or ():
        if candidate.get("name") == port:
            return int(candidate["containerPort"])
    raise LabError(f"container {target.container['name']} has no port named {port!r}")


def _unverified() -> ssl.SSLContext:
    """Probes do not verify certificates, as upstream."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
