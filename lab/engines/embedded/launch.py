"""`python -m lab.engines.embedded.launch FOLDER LOCK PATH…`: start a lab's init in its own namespaces.

Runs as a short program of the host: forks, unshares, forks again; the grandchild is PID 1 of the lab. Prints
JSON: {"pid", "ticks"} of init as the host sees it, or {"error", "errno"}. The descriptor LOCK stays open
until init is ready, also when the caller is killed meanwhile: who gets that lock next finds init, or none.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, NoReturn

from lab.base.detach import redirect
from lab.base.state import LabDir
from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.hostpid import start_ticks
from lab.engines.embedded.init.main import run

READY = "ready"


def main(argv: list[str]) -> int:
    lab = LabDir(Path(argv[0]))
    lock, keep_paths = int(argv[1]), tuple(argv[2:])
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        _detach(lab, keep_paths, write, lock)
    os.close(write)
    with os.fdopen(read) as answers:
        lines = answers.read().splitlines()
    failed = {"error": "the launcher died"}
    facts: dict[str, Any] = next((json.loads(line) for line in lines if line != READY), failed)
    if "error" not in facts and READY not in lines:
        facts = {"error": f"init of lab {lab.name} ended before it was ready"}
    if "pid" in facts:  # looked up here: the fork shares its /proc with init, which replaces it
        facts["ticks"] = start_ticks(facts["pid"])
    sys.stdout.write(json.dumps(facts))
    return 1 if "error" in facts else 0


def _detach(lab: LabDir, keep_paths: tuple[str, ...], write: int, lock: int) -> NoReturn:
    """Leave the caller's session and namespaces, then fork the lab's PID 1."""
    try:
        os.setsid()
        os.umask(0o077)
        redirect(lab.logs / "init.log")
        _raise_file_limit()
        ns.make_sandbox_namespaces()
        pid = os.fork()
    except OSError as error:
        os.write(
            write, json.dumps({"error": error.strerror or str(error), "errno": error.errno}).encode() + b"\n"
        )
        os._exit(1)
    if pid == 0:
        os._exit(_become_init(lab, keep_paths, write, lock))
    with contextlib.suppress(BrokenPipeError):  # as in on_ready
        os.write(write, json.dumps({"pid": pid}).encode() + b"\n")
    os._exit(0)


def _become_init(lab: LabDir, keep_paths: tuple[str, ...], write: int, lock: int) -> int:
    def on_ready() -> None:
        with contextlib.suppress(BrokenPipeError):  # the command that started the lab was killed
            os.write(write, f"{READY}\n".encode())
        os.close(write)
        os.close(lock)

    code = 1
    try:
        code = run(lab, keep_paths, on_ready)
    finally:
        sys.stderr.flush()
    return code


def _raise_file_limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
