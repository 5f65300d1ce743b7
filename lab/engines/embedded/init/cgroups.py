"""Memory and processor limits of containers, by control groups of version 2 or 1, whichever the machine has.

Only containers with limits get a group, below one folder of the lab. Where no group can be made (a lab of
an ordinary user, a read-only mount) `why_not` says so and containers run without limits. Groups outlive a
killed init, so the folder's places are written down for `sweep`, which the end and the start of a lab call.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.base.state import LabDir

MOUNT = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
PERIOD = 100_000
LEAST_QUOTA = 1_000
"""Microseconds: the period over which a quota of processor time holds, and the smallest that is taken."""
CONTROLLERS = ("memory", "cpu")
OF_SWAP = ("memory.swap.max", "memory.memsw.limit_in_bytes")
"""Files that a kernel without swap accounting lacks."""


@dataclass(frozen=True)
class Limits:
    """Bytes and processors; 0 is no limit."""

    memory: int = 0
    cpu: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.memory or self.cpu)


@dataclass(frozen=True)
class Group:
    """One container's folders, one per hierarchy."""

    folders: tuple[Path, ...]

    def join(self) -> None:
        """Move the calling process in; its children stay with it."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text("0")

    def has_killed(self) -> bool:
        """Whether the kernel killed a process in it for want of memory."""
        counts = {line.split()[0]: int(line.split()[1]) for line in self._memory_events()}
        return counts.get("oom_kill", 0) > 0

    def remove(self) -> bool:
        """Drop the folders; false while a process that was killed is still on its way out."""
        return all(_remove(folder) for folder in self.folders)

    def _memory_events(self) -> list[str]:
        files = [folder / name for folder in self.folders for name in ("memory.events", "memory.oom_control")]
        return [line for file in files if file.exists() for line in file.read_text().splitlines()]


class Cgroups:
    """The groups of one lab, below `name` in every hierarchy."""

    def __init__(self, name: str, record: Path, mount: Path = MOUNT) -> None:
        sweep(record)
        self.why_not = ""
        self._made = 0
        self._unified = (mount / "cgroup.controllers").exists()
        try:
            parents = (
                {mount: CONTROLLERS} if self._unified else {_own_v1(mount, c): (c,) for c in CONTROLLERS}
            )
            self._parents = {parent / name: controllers for parent, controllers in parents.items()}
            record.write_text(json.dumps([str(parent) for parent in self._parents]))
            for parent in self._parents:
                self._make_parent(parent)
        except OSError as error:
            self.why_not = f"no control groups can be made: {error.strerror}: {error.filename}"

    def make(self, limits: Limits) -> Group | None:
        """A group with these limits; None when there are none, or when the machine has no groups for us."""
        if not limits or self.why_not:
            return None
        self._made += 1
        folders = []
        for parent, controllers in self._parents.items():
            folders.append(parent / str(self._made))
            folders[-1].mkdir()
            for controller in controllers:
                _write(folders[-1], _settings(limits, controller, unified=self._unified))
        return Group(tuple(folders))

    def _make_parent(self, parent: Path) -> None:
        if self._unified:
            _delegate(parent.parent)
        parent.mkdir(exist_ok=True)
        if self._unified:
            _delegate(parent)


def _settings(limits: Limits, controller: str, *, unified: bool) -> Mapping[str, str]:
    """File by file; swap counts as memory."""
    quota, memory = max(int(limits.cpu * PERIOD), LEAST_QUOTA), str(limits.memory)
    if controller == "cpu" and limits.cpu:
        return (
            {"cpu.max": f"{quota} {PERIOD}"}
            if unified
            else {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}
        )
    if controller == "memory" and limits.memory:
        return (
            {"memory.max": memory, "memory.swap.max": "0"}
            if unified
            else {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
        )
    return {}


def _write(folder: Path, settings: Mapping[str, str]) -> None:
    for file, value in settings.items():
        if file not in OF_SWAP or (folder / file).exists():
            (folder / file).write_text(value)


def record_of(lab: LabDir) -> Path:
    """Where the places of a lab's groups are written down."""
    return lab.root / "cgroups.json"


def sweep(record: Path) -> None:
    """Remove what the lab of this record left; processes still in a group keep it."""
    if record.exists():
        for parent in map(Path, json.loads(record.read_text())):
            for group in parent.glob("*/"):
                _remove(group)
            _remove(parent)
        record.unlink()


def _own_v1(mount: Path, controller: str) -> Path:
    """This process's own group, so that whatever limits it limits the lab too; else the hierarchy's root."""
    for line in OWN_GROUPS.read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        inside = mount / controller / path.strip("/")
        if controller in controllers.split(",") and inside.is_dir():
            return inside
    return mount / controller


def _delegate(folder: Path) -> None:
    """Let the groups below have limits."""
    control = folder / "cgroup.subtree_control"
    missing = set(CONTROLLERS) - set(control.read_text().split())
    if missing:
        control.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))


def _remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
