"""Init's table of containers and execs: starts them, remembers how they ended, tells who subscribed.

The table outlives the node processes, so a restarted node adopts what still runs. When a container's
first process ends, everything else in its mount namespace is killed, as when a pid namespace ends.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.base.errors import LabError
from lab.engines.embedded.images import Images, shim
from lab.engines.embedded.init import processes
from lab.engines.embedded.init.cgroups import Cgroups, Group, Limits
from lab.engines.embedded.init.children import Children
from lab.engines.embedded.init.loop import Loop
from lab.engines.embedded.init.server import Reply
from lab.engines.embedded.init.streams import open_streams, pipes, relay, terminal
from lab.engines.embedded.spawn import Process, Program
from lab.engines.embedded.wire import Message
from lab.pocket.node.identity import Identity
from lab.pocket.node.runtime import Mount

KEPT_ENDED = 3
REMOVE_AFTER, REMOVE_TRIES = 0.1, 20
Publish = Callable[[str, Message], None]


@dataclass
class Record:
    """One container or exec."""

    id: str
    cluster: str
    pod_uid: str
    process: Process
    is_exec: bool = False
    pid: int = 0
    mounts: int = -1
    """A descriptor of its mount namespace, which keeps the kernel from giving the number to another one."""
    started_at: float = 0.0
    exit_code: int | None = None
    finished_at: float | None = None
    announced: bool = False
    input: int = -1
    """Init's own end of the input; that of a terminal carries the output too."""
    stdin_once: bool = False
    oom_killed: bool = False

    def state(self) -> dict[str, Any]:
        """The fields of runtime.ContainerState."""
        return {
            "id": self.id,
            "pod_uid": self.pod_uid,
            "pid": self.pid,
            "started_at": self.started_at,
            "exit_code": self.exit_code,
            "finished_at": self.finished_at,
            "oom_killed": self.oom_killed,
        }

    def forget_input(self) -> None:
        """Its descriptor is closed: the number may soon be another's."""
        self.input = -1

    def close_input(self) -> None:
        """The program reads the end of its input; a terminal is closed by its relay instead."""
        if self.input >= 0 and not self.process.tty:
            os.close(self.input)
            self.forget_input()


@dataclass(frozen=True)
class Surroundings:
    """What is the same for all containers of a lab."""

    images: Images
    keep_paths: tuple[str, ...]
    path: str


class Containers:
    """Containers of all clusters."""

    def __init__(self, loop: Loop, children: Children, cgroups: Cgroups, publish: Publish) -> None:
        self._loop, self._cgroups = loop, cgroups
        self._children = children
        self._publish = publish
        self._records: dict[str, Record] = {}
        self._execs = 0
        self.surroundings = Surroundings(Images({}), (), os.defpath)

    def start(self, request: Message, hostname: str, reply: Reply) -> None:
        """Start a container; answers once its program runs."""
        spec = request["container"]
        if known := self._records.get(spec["id"]):
            reply.ok(known.state())
            return
        program = self.surroundings.images.program(spec["image"], spec["command"], spec["args"])
        env = {"PATH": self.surroundings.path, "HOME": "/root", **spec["env"], "HOSTNAME": hostname}
        mounts = tuple(Mount(**m) for m in spec["mounts"])
        _check_program(program, env["PATH"], mounts)
        streams = open_streams(spec["log_path"], stdin=spec["stdin"], tty=spec["tty"])
        process = Process(
            program=program,
            name=spec["id"].split("/")[1] if "/" in spec["id"] else spec["id"],
            netns=f"pod-{spec['pod_uid']}",
            env=env,
            cwd=spec["working_dir"] or "/",
            stdio=streams.inner,
            tty=spec["tty"],
            hostname=hostname,
            mounts=mounts,
            keep_paths=self.surroundings.keep_paths,
            identity=Identity(spec["user"], spec["group"], tuple(spec["groups"])),
            group=self._cgroups.make(Limits(spec["memory"], spec["cpu"])),
        )
        record = Record(spec["id"], request["cluster"], spec["pod_uid"], process, input=streams.outer)
        record.stdin_once = spec["stdin_once"]
        self._run(record, reply, ())
        if spec["tty"]:
            relay(self._loop, streams.outer, streams.log, record.forget_input)
        streams.close_inner()

    def attach(self, request: Message, reply: Reply) -> None:
        """Answer with an end of a container's input."""
        record = self._running(request["id"])
        if record.input < 0:
            raise LabError(f"container {record.id} takes no input: it has no `stdin`, or its input has ended")
        reply.ok(None, (record.input,))
        if record.stdin_once:
            record.close_input()

    def exec(self, request: Message, reply: Reply) -> None:
        """Run a command in a container; answers with the caller's ends of its streams."""
        target = self._running(request["id"])
        argv = tuple(request["argv"])
        tty = bool(request["tty"])
        program = shim(argv, target.process.program) or Program(argv=argv)
        inner, outer = terminal() if tty else pipes()
        self._execs += 1
        process = Process(
            program=program,
            name=argv[0].rpartition("/")[2],
            env={**target.process.env, **({"TERM": "xterm"} if tty else {})},
            cwd=target.process.cwd,
            stdio=inner,
            tty=tty,
            join=target.pid,
            identity=target.process.identity,
            group=target.process.group,
        )
        record = Record(
            f"{target.id}/exec/{self._execs}", target.cluster, target.pod_uid, process, is_exec=True
        )
        self._run(record, reply, outer)
        for fd in set(inner):
            os.close(fd)

    def signal(self, container: str, number: int) -> None:
        """Signal a container's first process; an ended one is left alone."""
        record = self._records.get(container)
        if record is None:
            raise LabError(f"no container {container!r} in this lab")
        if record.exit_code is None:
            processes.send([record.pid], number)

    def resize(self, exec_id: str, columns: int, rows: int) -> None:
        """Set the size of an exec's terminal."""
        import fcntl
        import struct
        import termios

        record = self._running(exec_id)
        terminal = os.open(f"/proc/{record.pid}/fd/0", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.close(terminal)

    def list(self, cluster: str) -> list[dict[str, Any]]:
        """All containers of a cluster, running or ended; execs are not listed."""
        return [r.state() for r in self._records.values() if r.cluster == cluster and not r.is_exec and r.pid]

    def forget(self, pod_uids: set[str]) -> None:
        """Drop the records of removed pods."""
        self._records = {k: r for k, r in self._records.items() if r.pod_uid not in pod_uids}

    def mount_namespaces(self) -> dict[str, int]:
        """Where each running container's processes can be found."""
        running = [r for r in self._records.values() if r.exit_code is None and r.mounts >= 0]
        return {r.id: os.fstat(r.mounts).st_ino for r in running}

    def pids(self, cluster: str) -> tuple[int, ...]:
        """The first processes of a cluster's running containers and execs."""
        mine = (r for r in self._records.values() if r.pid and r.cluster == cluster and r.exit_code is None)
        return tuple(r.pid for r in mine)

    def _running(self, name: str) -> Record:
        record = self._records.get(name)
        if record is None or record.exit_code is not None:
            raise LabError(f"container {name!r} is not running")
        return record

    def _run(self, record: Record, reply: Reply, outer: tuple[int, ...]) -> None:
        self._records[record.id] = record
        record.started_at = time.time()

        def started(reason: str) -> None:
            if reason:
                self._records.pop(record.id, None)
                record.close_input()
                reply.fail(LabError(f"cannot start {record.id}: {reason}"))
            else:
                record.announced = True
                if not record.is_exec and record.exit_code is None:
                    record.mounts = processes.pin(record.pid, "mnt")
                reply.ok(record.state(), outer)
                if record.exit_code is not None:
                    self._announce(record)
            for fd in set(outer):
                os.close(fd)

        try:
            record.pid = self._children.start(record.process, lambda code: self._ended(record, code), started)
        except (OSError, LabError):
            del self._records[record.id]
            raise

    def _ended(self, record: Record, code: int) -> None:
        record.exit_code = code
        record.finished_at = time.time()
        if record.mounts >= 0:
            processes.send(processes.members("mnt", [os.fstat(record.mounts).st_ino]), signal.SIGKILL)
            os.close(record.mounts)
            record.mounts = -1
        if group := record.process.group if not record.is_exec else None:
            record.oom_killed = code != 0 and group.has_killed()
            self._remove_group(group, REMOVE_TRIES)
        record.close_input()
        if record.announced:
            self._announce(record)

    def _remove_group(self, group: Group, tries: int) -> None:
        """What was killed takes a moment to be gone; what stays is swept with the lab."""
        if not group.remove() and tries:
            self._loop.later(REMOVE_AFTER, lambda: self._remove_group(group, tries - 1))

    def _announce(self, record: Record) -> None:
        self._publish(record.cluster, record.state())
        if record.is_exec:
            self._records.pop(record.id, None)
            return
        stem = record.id.rpartition("/")[0]
        ended = [
            r
            for r in self._records.values()
            if r.exit_code is not None and not r.is_exec and r.id.rpartition("/")[0] == stem
        ]
        for old in ended[:-KEPT_ENDED]:
            del self._records[old.id]


def _check_program(program: Program, path: str, mounts: tuple[Mount, ...]) -> None:
    """Say early what would otherwise be a bare exit code; a program inside a volume is left to run time."""
    if program.entry or shutil.which(program.argv[0], path=path):
        return
    if any(program.argv[0].startswith(m.target) for m in mounts):
        return
    raise LabError(
        f"the program {program.argv[0]!r} is not on this machine (PATH {path})",
        remedy="containers see the host's programs: install it, or map the image to another one",
    )
