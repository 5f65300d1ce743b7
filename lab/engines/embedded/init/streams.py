"""The standard streams of containers and execs: logs, pipes and terminals, and who holds which end."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from lab.engines.embedded.init.loop import Loop

BLOCK = 65536


@dataclass(frozen=True)
class Streams:
    """A container's stdin, stdout and stderr; `outer` is init's end of the input, -1 without one."""

    inner: tuple[int, int, int]
    outer: int
    log: int

    def close_inner(self) -> None:
        """After the fork: the container has its own copies. The log stays open under a terminal's relay."""
        kept = self.log if self.log not in self.inner else -1
        for fd in {*self.inner, self.log} - {kept}:
            os.close(fd)


def open_streams(log_path: str, *, stdin: bool, tty: bool) -> Streams:
    """A terminal for everything, or the log for output and a pipe or nothing for input."""
    log = _open_log(log_path)
    if tty:
        inner, outer = terminal()
        return Streams(inner, outer[0], log)
    if stdin:
        read, write = os.pipe2(os.O_CLOEXEC)
        return Streams((read, log, log), write, log)
    return Streams((os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), log, log), -1, log)


def relay(loop: Loop, terminal_fd: int, log: int, on_end: Callable[[], None]) -> None:
    """Write what a container's terminal shows to its log, until nobody has it open; then close both."""

    def readable() -> None:
        try:
            data = os.read(terminal_fd, BLOCK)
        except OSError:
            data = b""  # how a terminal says that nobody is at its other end any more
        if data:
            os.write(log, data)
            return
        loop.forget(terminal_fd)
        os.close(terminal_fd)
        os.close(log)
        on_end()

    loop.on_readable(terminal_fd, readable)


def pipes() -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """The command's ends of three pipes, and the caller's."""
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = (
        os.pipe2(os.O_CLOEXEC) for _ in range(3)
    )
    return (in_read, out_write, err_write), (in_write, out_read, err_read)


def terminal() -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """The command's end of a terminal, three times, and the caller's."""
    outer, inner = os.openpty()
    return (inner, inner, inner), (outer, outer, outer)


def _open_log(path: str) -> int:
    if not path:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
