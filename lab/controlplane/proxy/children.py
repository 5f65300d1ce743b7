"""Child processes of the launcher; none outlives it, however it ends (the kernel's parent-death signal)."""

import ctypes
import os
import signal
from collections.abc import Callable

from lab.base.log import get_logger

log = get_logger(__name__)

# What the launcher waits for; blocked in it, so that none is lost between two waits.
AWAITED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGIO, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl


def start(work: Callable[[], int]) -> int:
    """Run `work` in a child that ends with its result (1 if it raises); returns the child's pid."""
    launcher = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        if os.getppid() == launcher:
            code = work()
    except Exception:
        log.exception("a child of the launcher failed")
    finally:
        os._exit(code)


def ended() -> list[tuple[int, int]]:
    """Pid and exit code (128 + N for a signal N) of each child that has ended since the last call."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        code = os.waitstatus_to_exitcode(status)
        found.append((pid, code if code >= 0 else 128 - code))
