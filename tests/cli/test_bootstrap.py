"""`python3 tasks.py` on a fresh clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that the bootstrap reads, without an environment."""
    for name in ("tasks.py", "pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def tasks(clone: Path, *words: str, path: str = "/usr/bin:/bin") -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PATH": path, "PIP_NO_INDEX": "1"}
    argv = [sys.executable, "tasks.py", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=clone, env=env, check=False)


def finish(clone: Path, program: str) -> None:
    """An environment whose Python is this script, with the stamp of a finished installation."""
    python = clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    code = "import tasks; print(tasks.fingerprint(), end='')"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=clone, check=True
    )
    (clone / ".venv" / ".installed").write_text(found.stdout)


def test_a_finished_environment_is_used_at_once(clone: Path) -> None:
    finish(clone, 'echo "$@"')
    done = tasks(clone, "up", "x y")
    assert (done.stdout, done.stderr) == ("-m lab.cli up x y\n", "")


def test_a_changed_lock_file_installs_again(clone: Path) -> None:
    finish(clone, "exit 3")
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert "installing the locked dependencies" in tasks(clone, "up").stderr


def test_a_failed_installation_says_what_failed_and_is_not_taken_for_finished(clone: Path) -> None:
    finish(clone, "echo no such package; exit 1")
    with (clone / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    done = tasks(clone, "up")
    assert done.returncode == 1
    assert "no such package" in done.stderr
    assert "fix: check that a Python package index can be reached" in done.stderr
    assert not (clone / ".venv" / ".installed").exists()


@pytest.mark.slow
def test_without_a_package_index_the_first_run_says_so(clone: Path) -> None:
    done = tasks(clone, "up")
    assert done.returncode == 1
    assert "fix: check that a Python package index can be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_python_that_is_too_old_is_refused_with_the_versions_that_work(clone: Path) -> None:
    code = "import sys, tasks; sys.version_info = (3, 9, 2); tasks.create(tasks.interpreter())"
    env = {**os.environ, "PATH": "/nowhere"}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=clone, env=env, timeout=60, check=False)
    assert done.returncode == 1
    assert "Python 3.11 to 3.14 is needed; this is 3.9" in done.stderr
