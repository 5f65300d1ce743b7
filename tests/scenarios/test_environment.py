"""What programs of a scenario's steps and probes find."""

import shutil
import sys
from pathlib import Path

import pytest

from lab.ops.labs import from_file
from lab.ops.stage import environment


def test_programs_find_the_labs_kubectl_whether_or_not_its_venv_is_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin")
    env = environment(from_file("flat"), seed=7)
    assert shutil.which("kubectl", path=env["PATH"]) == str(Path(sys.executable).parent / "kubectl")
    assert (env["LAB"], env["LAB_SEED"]) == ("flat", "7")
