"""The lab's processes as /proc shows them: who lives in which namespace, their state, their cost.

Read-only except for the signal functions at the end. Used by init for clean-up, pause and statistics.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.base.errors import LabError

FREEZE_ROUNDS = 200
FREEZE_PAUSE = 0.005
_GONE = ("", "Z", "X")
_STOPPED = ("T", "t")


@dataclass(frozen=True)
class Cost:
    """Memory (PSS, bytes) and processor time (seconds) of a set of processes."""

    pss: int
    cpu: float
    processes: int


def all_pids() -> list[int]:
    """Every process of this pid namespace except init itself."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def namespace(pid: int, kind: str) -> int:
    """The inode of a process's namespace; 0 when the process is gone."""
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return 0


def pin(pid: int, kind: str) -> int:
    """A descriptor of a process's namespace; -1 when the process is gone.

    While it is open the kernel gives the namespace's inode to no other; without it a namespace that is just
    being made can have the number of one that has just ended.
    """
    try:
        return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def members(kind: str, inodes: Iterable[int]) -> list[int]:
    """Processes that live in one of these namespaces."""
    wanted = set(inodes) - {0}
    return [pid for pid in all_pids() if namespace(pid, kind) in wanted]


def state(pid: int) -> str:
    """The state letter of a process (R, S, D, T, Z …); empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def send(pids: Iterable[int], number: int) -> None:
    """Signal processes; those that have just ended are left alone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def halted(pids: Iterable[int]) -> tuple[int, int]:
    """How many of these processes are stopped, and how many live."""
    alive = [letter for letter in map(state, pids) if letter not in _GONE]
    return sum(letter in _STOPPED for letter in alive), len(alive)


def freeze(pids: Callable[[], Iterable[int]]) -> int:
    """Stop every process that `pids` names, also those that appear meanwhile; returns how many."""
    for _ in range(FREEZE_ROUNDS):
        found = list(pids())
        moving = [pid for pid in found if state(pid) not in (*_GONE, *_STOPPED)]
        if not moving:
            return len(found)
        send(moving, signal.SIGSTOP)
        time.sleep(FREEZE_PAUSE)  # noqa: TID251 (init has no asyncio; a stop takes effect within this)
    raise LabError(f"{len(moving)} processes did not stop", remedy="try again; heal first if it persists")


def cost(pids: Iterable[int]) -> Cost:
    """What a set of processes costs now; processes that end meanwhile count for nothing."""
    pss, ticks, count = 0, 0, 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                line = next(line for line in file if line.startswith("Pss:"))
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except (OSError, StopIteration):
            continue
        pss += int(line.split()[1]) * 1024
        ticks += int(fields[11]) + int(fields[12])
        count += 1
    return Cost(pss, ticks / os.sysconf("SC_CLK_TCK"), count)
