"""The lab's host process seen from outside: start it, find it again, end it.

host.json remembers init's pid with its start time. Starting twice is fine; a file left by a crash is
recognised because no such process runs. Ending init ends everything in the lab.
"""

import contextlib
import errno
import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import lab as package
from lab.base.errors import EngineUnavailable, LabError, TimedOut
from lab.base.process import run
from lab.base.state import LabDir, make_private, short_path, write_private
from lab.base.wait import until
from lab.engines.embedded import wire
from lab.engines.embedded.hostpid import HostProcess, start_ticks
from lab.engines.embedded.init.cgroups import record_of, sweep

LAUNCH_SECONDS = 20.0
KILL_SECONDS = 5.0
LOG_LINES = 15


def running(lab: LabDir) -> HostProcess | None:
    """The lab's init, if it runs; found by its control socket when an interrupted start left no record."""
    return _remembered(lab) or _listening(lab)


def _listening(lab: LabDir) -> HostProcess | None:
    with wire.make_socket() as sock:
        sock.settimeout(1.0)
        try:
            with short_path(lab.control_socket) as path:
                sock.connect(path)
        except OSError:
            return None  # nobody listens, which is the answer
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]
    return HostProcess(pid, start_ticks(pid)) if pid > 0 else None


def _remembered(lab: LabDir) -> HostProcess | None:
    try:
        facts = json.loads(lab.host.read_text())
        process = HostProcess(int(facts["pid"]), int(facts["ticks"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # cut off by a crash while it was written: no process is known by it
    return process if process.is_alive() else None


async def start(lab: LabDir) -> HostProcess:
    """Start the lab's init unless it runs. Raises EngineUnavailable when namespaces cannot be had."""
    make_private(lab.logs)
    async with _starting(lab) as lock:
        return running(lab) or await _launch(lab, lock)


async def _launch(lab: LabDir, lock: int) -> HostProcess:
    lab.control_socket.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "lab.engines.embedded.launch", str(lab.root), str(lock), *keep_paths(lab)]
    answer = await run(argv, timeout=LAUNCH_SECONDS, check=False, pass_fds=(lock,))
    try:
        facts = json.loads(answer.stdout)
    except ValueError:
        facts = {"error": f"the launcher failed: {answer.stderr.strip()[-800:]}"}
    if "error" in facts:
        raise _explain(lab, facts)
    process = HostProcess(facts["pid"], facts["ticks"])
    write_private(lab.host, json.dumps({"pid": process.pid, "ticks": process.ticks}))
    return process


async def end(lab: LabDir) -> bool:
    """Kill the lab's init and wait until it is gone; false when it did not run."""
    async with _starting(lab):
        process = running(lab)
        if process:
            process.kill()
            try:
                await process.gone(KILL_SECONDS)
            except TimedOut as error:
                raise LabError(f"lab {lab.name}: process {process.pid} survives SIGKILL") from error
        lab.host.unlink(missing_ok=True)
        lab.control_socket.unlink(missing_ok=True)
        sweep(record_of(lab))
    return process is not None


@asynccontextmanager
async def _starting(lab: LabDir) -> AsyncIterator[int]:
    """Hold the right to start init or to end it.

    The launcher inherits the lock and init lets go of it when it can be found. So a command that comes after
    a start was interrupted or killed waits for the outcome instead of overlooking an init that is on its way.
    """
    lock = os.open(lab.root / "launch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def taken() -> bool:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True

    try:
        what = f"end of another command's start of lab {lab.name}"
        await until(taken, timeout=LAUNCH_SECONDS, what=what, every=0.02)
        yield lock
    finally:
        os.close(lock)


def keep_paths(lab: LabDir) -> tuple[str, ...]:
    """Host folders that programs in the lab need, wherever they are (also below /tmp or /run)."""
    source = Path(package.__file__).resolve().parent.parent
    folders = {str(lab.root.resolve()), sys.prefix, sys.base_prefix, str(source)}
    return tuple(sorted(folders))


def log_tail(path: Path, lines: int = LOG_LINES) -> str:
    """The end of a log, for error messages."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"


def _explain(lab: LabDir, facts: dict[str, object]) -> LabError:
    if facts.get("errno") in (errno.EPERM, errno.ENOSPC, errno.EINVAL, errno.EACCES):
        from lab.engines.embedded.preflight import why_no_namespaces

        finding = why_no_namespaces(str(facts["error"]))
        return EngineUnavailable(f"this machine cannot run a lab: {finding.seen}", remedy=finding.remedy)
    return LabError(
        f"lab {lab.name} did not start: {facts['error']}\n{log_tail(lab.logs / 'init.log')}",
        remedy=f"see {lab.logs / 'init.log'}",
    )
