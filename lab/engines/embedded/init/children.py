"""Fork and reap: the only place in init where processes begin and where their ends are noticed.

Init is PID 1 of the lab, so it also reaps orphans that it never forked.
"""

import gc
import json
import os
import signal
from collections.abc import Callable
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.spawn import Process, become

OnExit = Callable[[int], None]
OnStarted = Callable[[str], None]


class Children:
    """The table of forked children that someone waits for."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._on_exit: dict[int, OnExit] = {}
        loop.on_signal(signal.SIGCHLD, self._reap)

    def start(self, process: Process, on_exit: OnExit, on_started: OnStarted | None = None) -> int:
        """Fork a process. `on_started` gets "" once its program runs, else the reason why it cannot."""
        read, write = os.pipe2(os.O_CLOEXEC)
        pid = self._fork()
        if pid == 0:
            become(process, write)
        os.close(write)
        self._on_exit[pid] = on_exit
        self._when_closed(read, on_started or (lambda reason: None))
        return pid

    def offload(self, work: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        """Compute something slow in a short child; `on_done` gets its result, or a LabError if it died."""

        def done(text: str) -> None:
            on_done(json.loads(text) if text else LabError("a helper of the lab's init died"))

        self._when_closed(self.pour(work), done)

    def pour(self, work: Callable[[], Any]) -> int:
        """Compute something slow and large in a short child; returns the end of a pipe that gives it as JSON,
        or nothing if the child died.
        """
        read, write = os.pipe2(os.O_CLOEXEC)
        pid = self._fork()
        if pid == 0:
            with os.fdopen(write, "w") as pipe:
                json.dump(work(), pipe)
            os._exit(0)
        os.close(write)
        self._on_exit[pid] = lambda code: None
        return read

    def _fork(self) -> int:
        tasks = os.listdir("/proc/self/task")
        if len(tasks) != 1:
            raise LabError(f"init has {len(tasks)} threads and must not fork: a warm import started one")
        # A signal to the child before it has handlers of its own would be written to init's wake-up pipe.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            gc.freeze()
        else:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid

    def _when_closed(self, fd: int, callback: Callable[[str], None]) -> None:
        """Collect what a child writes until it closes its end, then pass it on."""
        parts: list[bytes] = []

        def readable() -> None:
            if data := os.read(fd, 65536):
                parts.append(data)
                return
            self._loop.forget(fd)
            os.close(fd)
            callback(b"".join(parts).decode())

        self._loop.on_readable(fd, readable)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if on_exit := self._on_exit.pop(pid, None):
                on_exit(128 - code if code < 0 else code)
