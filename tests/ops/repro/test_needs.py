"""What a bundle needs is said before anything is built."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.base.errors import UsageError
from lab.ops.repro.repro import Asked, repro
from tests.ops.repro.made import TOPOLOGY, bundle, files

LOOK = Asked(dry_run=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_dry_run_says_what_would_be_built_and_builds_nothing(tmp_path: Path, home: Path) -> None:
    file = bundle(tmp_path / "b.tar.gz", files(f"{TOPOLOGY}  steps: [{{run: ['true']}}]\n"))
    said = repro(str(file), LOOK)
    assert said.ok
    assert (said.data["lab"], said.data["engine"]) == ("small-repro", "embedded")
    assert "the bundle brings its own program of a step, as you: true" in said.data["notes"]
    assert "versions: none were recorded" in said.data["notes"]
    assert not home.exists()


def test_clusters_that_somebody_has_are_taken_only_when_asked_for(tmp_path: Path) -> None:
    theirs = TOPOLOGY.replace("{west: {}}", "{west: {context: prod}}") + "engine: existing\n"
    file = bundle(tmp_path / "b.tar.gz", files(theirs))
    with pytest.raises(UsageError, match=r"clusters that somebody has \(contexts prod\)") as caught:
        repro(str(file), LOOK)
    assert "--engine embedded" in caught.value.remedy
    here = repro(str(file), Asked(engine="embedded", dry_run=True))
    assert "engine: recorded existing, here embedded" in here.data["notes"]


def test_an_engine_that_is_not_usable_here_is_named_with_what_it_misses(tmp_path: Path) -> None:
    file = bundle(tmp_path / "b.tar.gz", files(f"{TOPOLOGY}engine: kind\n"))
    argv = [sys.executable, "-m", "lab.cli", "repro", str(file), "--dry-run"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 0:
        pytest.skip("engine kind is usable here")
    assert done.returncode == 4
    assert "needs engine kind, which misses" in done.stderr
    assert "--engine embedded" in done.stderr


def test_a_program_that_is_not_here_is_asked_for(tmp_path: Path) -> None:
    programs = {"image x": {"name": "no-such-program", "sha256": ""}}
    file = bundle(tmp_path / "b.tar.gz", files(), programs=programs)
    with pytest.raises(UsageError, match=r"no-such-program \(for image x\)"):
        repro(str(file), LOOK)


def test_a_lab_that_is_there_is_not_taken_for_the_replay(tmp_path: Path, home: Path) -> None:
    (home / "small-repro").mkdir(parents=True)
    with pytest.raises(UsageError, match="there is a lab small-repro already"):
        repro(str(bundle(tmp_path / "b.tar.gz", files())), Asked())
    assert list((home / "small-repro").iterdir()) == []


def test_a_bundle_without_anything_to_compare_is_refused(tmp_path: Path) -> None:
    content = {**files(), "status.json": json.dumps(None)}
    del content["run/verdict.json"], content["status.json"]
    with pytest.raises(UsageError, match="neither a verdict nor a state"):
        repro(str(bundle(tmp_path / "b.tar.gz", content)), LOOK)
