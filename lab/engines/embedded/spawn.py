"""What a child of init does between fork and its program: join namespaces, mount, set up, run.

`Process` says it all as data. A failure before the program starts is written to the status pipe, so that
init can answer with the reason. Python programs run in the forked interpreter (start in milliseconds);
others are executed. Never returns.
"""

import importlib
import itertools
import logging
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.init.cgroups import Group
from lab.engines.embedded.mounts import View
from lab.pocket.node.identity import ROOT, Identity
from lab.pocket.node.runtime import Mount

OOM_SCORE_OF_CONTAINERS = 500


@dataclass(frozen=True)
class Program:
    """Either a Python function `module:function` called with argv, or a command line to execute."""

    argv: tuple[str, ...] = ()
    entry: str = ""


@dataclass(frozen=True)
class Process:
    """One child of init. `join` is the pid whose mount, network and host name it shares (an exec)."""

    program: Program
    name: str
    netns: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    stdio: tuple[int, int, int] = (0, 1, 2)
    keep_fds: tuple[int, ...] = ()
    tty: bool = False
    hostname: str = ""
    mounts: tuple[Mount, ...] | None = None
    keep_paths: tuple[str, ...] = ()
    join: int = 0
    identity: Identity = ROOT
    group: Group | None = None


def become(process: Process, status: int) -> NoReturn:
    """Turn this freshly forked child into the process; `status` carries the reason if that fails."""
    code = 127
    try:
        os.setsid()
        _reset_signals()
        ns.set_process_name(process.name)
        if process.group:
            process.group.join()
        status = _take_descriptors(process, status)
        _join_namespaces(process)
        os.environ.clear()
        os.environ.update(process.env)
        os.chdir(process.cwd)
        if process.identity != ROOT:
            ns.become_user(process.identity.user, process.identity.group, process.identity.groups)
    except OSError as error:
        os.write(status, f"{error.strerror or error}".encode())
        os._exit(code)
    if process.program.entry:
        os.close(status)
        code = run_python(process.program)
    else:
        code = _execute(process.program.argv, status)
    os._exit(code)


def run_python(program: Program) -> int:
    """Call the entry function as the interpreter would run a main module; returns the exit code."""
    sys.argv = [program.entry, *program.argv]
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        module, _, function = program.entry.partition(":")
        main: Callable[[Sequence[str]], int | None] = getattr(importlib.import_module(module), function)
        code = main(list(program.argv)) or 0
    except SystemExit as stop:
        code = _exit_code(stop)
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 (the last frame of a program: report as the interpreter does)
        traceback.print_exc()
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _exit_code(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    sys.stderr.write(f"{stop.code}\n")
    return 1


def _execute(argv: Sequence[str], status: int) -> int:
    os.set_inheritable(status, False)
    try:
        os.execvp(argv[0], list(argv))
    except OSError as error:
        os.write(status, f"`{argv[0]}`: {error.strerror}".encode())
    return 127


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _take_descriptors(process: Process, status: int) -> int:
    """Put stdio in place and close close all else that init has open; returns the status pipe."""
    kept = {*process.keep_fds, status}
    spare = max((*kept, *process.stdio, 2)) + 1
    sources = [os.dup2(fd, spare + i, inheritable=False) for i, fd in enumerate(process.stdio)]
    for number, source in enumerate(sources):
        os.dup2(source, number)
    for low, high in _gaps(sorted(kept)):
        os.closerange(low, high)
    for fd in process.keep_fds:
        os.set_inheritable(fd, True)
    if process.tty:
        _take_terminal()
    return status


def _gaps(kept: Sequence[int]) -> list[tuple[int, int]]:
    edges = [2, *[fd for fd in kept if fd > 2], resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
    return [(low + 1, high) for low, high in itertools.pairwise(edges) if low + 1 < high]


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _join_namespaces(process: Process) -> None:
    if process.join:
        pid = process.join
        held = [(kind, os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)) for name, kind in _JOINED]
        for kind, fd in held:
            ns.setns(fd, kind)
            os.close(fd)
        return
    if process.netns:
        ns.enter(ns.netns_path(process.netns), ns.NEWNET)
    if process.hostname:
        ns.unshare(ns.NEWUTS)
        socket.sethostname(process.hostname)
    if process.mounts is not None:
        os.umask(0o022)
        ns.unshare(ns.NEWNS)
        View().build(process.mounts, process.keep_paths, process.cwd)
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(OOM_SCORE_OF_CONTAINERS))


_JOINED = (("net", ns.NEWNET), ("uts", ns.NEWUTS), ("mnt", ns.NEWNS))
