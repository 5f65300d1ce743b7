"""A process of the host, told apart from a later one with the same number by its start time.

Used for the lab's init as the host sees it: a recycled pid is never taken for it and never killed.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from lab.base.wait import until


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 when there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return 0


@dataclass(frozen=True)
class HostProcess:
    """A pid together with its start time."""

    pid: int
    ticks: int

    def is_alive(self) -> bool:
        """Whether exactly this process still runs (a zombie does not)."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False
        return int(fields[19]) == self.ticks and fields[0] not in "ZX"

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal exactly this process; one that has ended is left alone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    async def gone(self, timeout: float) -> None:
        """Wait for its end. Raises TimedOut."""

        async def ended() -> bool:
            return not self.is_alive()

        await until(ended, timeout=timeout, what=f"end of the lab's process {self.pid}", every=0.01)
