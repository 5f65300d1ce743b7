"""The lab's commands. Two ways in, same verbs:

    python3 tasks.py up      on a fresh clone, with nothing installed: makes .venv first
    inv up                   inside an environment that has the lab installed (also: lab up)

This file imports the standard library only until it knows that the lab is installed. The verbs
themselves are in lab/verbs, so that the installed `lab` command has them too.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, ".installed")
LOCK = os.path.join(ROOT, "requirements.lock")


def bootstrap(argv):
    """Make sure .venv holds what requirements.lock says, then run the verb with it. Does not return."""
    wanted = fingerprint()
    if installed() != wanted:
        # Two commands at once on a fresh clone: the second waits and finds the work done.
        with open(__file__) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if installed() != wanted:
                install()
                with open(STAMP, "w") as stamp:
                    stamp.write(wanted)
    os.execv(PYTHON, [PYTHON, "-m", "lab.cli", *argv])


def fingerprint():
    """What an environment depends on: the locked versions and the project's own metadata."""
    digest = hashlib.sha256()
    for name in (LOCK, os.path.join(ROOT, "pyproject.toml")):
        with open(name, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed():
    """The fingerprint of what .venv holds, or nothing when it was never finished."""
    try:
        with open(STAMP) as stamp:
            return stamp.read().strip() if os.access(PYTHON, os.X_OK) else ""
    except OSError:
        return ""


def install():
    """Create .venv and install the locked dependencies and the project into it."""
    uv = shutil.which("uv")
    say(f"installing the locked dependencies into .venv{' with uv' if uv else ''} (once, about a minute)")
    if os.path.exists(STAMP):
        os.remove(STAMP)
    if not os.access(PYTHON, os.X_OK):
        if uv:
            python = interpreter() or ">=3.11,<3.15"
            run([uv, "venv", "--quiet", "--allow-existing", "--python", python, VENV])
        else:
            create(interpreter())
    pip = [uv, "pip"] if uv else [PYTHON, "-m", "pip", "--disable-pip-version-check"]
    into = ["--python", PYTHON] if uv else []
    run([*pip, "install", "--quiet", *into, "--require-hashes", "-r", LOCK])
    run([*pip, "install", "--quiet", *into, "--no-deps", "-e", ROOT])


def create(python):
    """Make .venv with the standard library's venv module."""
    if python is None:
        oldest, newest, found = (".".join(map(str, v[:2])) for v in (OLDEST, NEWEST, sys.version_info))
        fail(
            f"Python {oldest} to {newest} is needed; this is {found} and no other was found on PATH",
            "install a newer Python (apt install python3.11 python3.11-venv), or uv, which brings one along",
        )
    probe = subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True)
    if probe.returncode:
        fail(
            f"{python} cannot make virtual environments: its venv or ensurepip module is missing",
            "apt install python3-venv (Debian, Ubuntu), or install uv",
        )
    run([python, "-m", "venv", VENV])


def interpreter():
    """A Python the lab runs on: this one if it fits, else one from PATH, else nothing."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    names = (f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1))
    return next(filter(None, map(shutil.which, names)), None)


def run(argv):
    """Run one installation step; when it fails, show the end of what it said."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    if done.returncode:
        sys.stderr.write("\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-15:]) + "\n")
        shown = " ".join(argv[:6]) + (" …" if len(argv) > 6 else "")
        fail(
            f"`{shown}` ended with code {done.returncode}",
            "check that a Python package index can be reached and 1 GB of disk is free, then run this again",
        )


def say(text):
    sys.stderr.write(f"tasks.py: {text}\n")


def fail(what, remedy):
    say(what)
    say(f"fix: {remedy}")
    sys.exit(1)


if __name__ == "__main__":
    try:
        bootstrap(sys.argv[1:])
    except KeyboardInterrupt:
        say("interrupted; the next run finishes the installation")
        sys.exit(130)
else:
    from lab.verbs.namespace import namespace  # noqa: F401 - this is what `inv` looks for
