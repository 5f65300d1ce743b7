"""What a lab consists of as the host's /proc shows it: its processes, their cost, and what holds its network
namespaces.

A lab's processes are those in its own pid namespace; a process is told from a later one with the same
number by its start time.
"""

import os
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import CheckFailed
from lab.engines.embedded.hostpid import HostProcess, start_ticks

TICKS = os.sysconf("SC_CLK_TCK")
LISTENING = "0A"


@dataclass(frozen=True)
class Footprint:
    """Everything of a lab that must be gone after `down`.

    The numbers of namespaces are used again: one counts as left only while a process lives in it that is
    older than the footprint (`taken`, in clock ticks since boot), not a newer lab's.
    """

    processes: tuple[HostProcess, ...]
    network_namespaces: frozenset[int]
    ports: frozenset[int]
    folder: str
    taken: int = sys.maxsize

    def left(self) -> dict[str, int]:
        """How many of each kind are still there."""
        held = {namespace(pid, "net") for pid in pids() if 0 < start_ticks(pid) <= self.taken}
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return {
            "processes": sum(one.is_alive() for one in self.processes),
            "namespaces": len(self.network_namespaces & held),
            "mounts": sum(self.folder in line for line in mounts),
            "listeners": len(self.ports & listeners()),
        }


def footprint(init: int, kubeconfig: str, folder: Path) -> Footprint:
    """The footprint of a running lab, whose init has this pid on the host."""
    found = tuple(HostProcess(pid, start_ticks(pid)) for pid in lab_pids(init))
    home = namespace(os.getpid(), "net")
    networks = frozenset(namespace(one.pid, "net") for one in found) - {0, home}
    ports = frozenset(int(port) for port in re.findall(r"https://127\.0\.0\.1:(\d+)", kubeconfig))
    taken = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)
    return Footprint(found, networks, ports, str(folder), taken)


def pids() -> list[int]:
    """Every process of the host."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def namespace(pid: int, kind: str) -> int:
    """The inode of a process's namespace; 0 when it has ended or belongs to somebody else."""
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return 0


def lab_pids(init: int) -> list[int]:
    """The processes of a lab: all that share init's pid namespace."""
    inode = namespace(init, "pid")
    return [pid for pid in pids() if inode and namespace(pid, "pid") == inode]


def started_with(word: str) -> int:
    """The one process whose command line contains `word`. Raises CheckFailed when there is none."""
    for pid in pids():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue  # it ended
        if word.encode() in line:
            return pid
    raise CheckFailed(f"no process was started with {word}")


def pss(found: Iterable[int]) -> int:
    """Memory of processes in bytes, shared pages counted once."""
    total = 0
    for pid in found:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # it ended
        total += sum(int(kilobytes) for kilobytes in re.findall(r"^Pss:\s+(\d+)", text, re.M)) * 1024
    return total


def cpu_seconds(found: Iterable[int]) -> float:
    """Processor time of processes and of their children that have ended."""
    ticks = 0
    for pid in found:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def listeners() -> set[int]:
    """TCP ports on which somebody listens in this network namespace."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING}
