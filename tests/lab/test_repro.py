"""`lab repro`: a bundle made in one checkout gives the same outcome in another."""

import json
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import ROOT, Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow]

BROKEN = str(Path(__file__).with_name("broken-promise.yaml"))
CUT = {
    "name": "cut",
    "clusters": {"west": {}, "east": {}},
    "links": ["west -> east"],
    "apps": [{"app": "echo", "clusters": ["east"], "export": "flat"}],
    "traffic": [{"from": "west", "to": "http://echo-east.echo", "rate": "20/s"}],
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another copy of the project."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("lab", "topologies", "manifests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def repro(
    cli: Cli, checkout: Path, home: Path, file: Path, *words: str
) -> "subprocess.CompletedProcess[str]":
    """`lab repro` of the other copy, with a home of its own."""
    return subprocess.run(
        [*cli.python, "-m", "lab.cli", "repro", str(file), "--json", *words],
        env={**os.environ, "LAB_HOME": str(home), "NO_COLOR": "1"},
        cwd=checkout,
        text=True,
        capture_output=True,
        timeout=200,
        check=False,
    )


def test_a_failed_scenario_fails_again_in_the_same_expectation(
    cli: Cli, checkout: Path, tmp_path: Path
) -> None:
    file, home = tmp_path / "failed.tar.gz", tmp_path / "home"
    cli.run("run", BROKEN, "--lab", "promise", "--bundle", str(file), code=1)
    assert "promise" not in [row["lab"] for row in cli.json("list")]
    done = repro(cli, checkout, home, file)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert [(row["then"], row["now"]) for row in said["rows"]] == [("held", "held"), ("failed", "failed")]
    assert said["verdict"]["lab"] == "promise-repro"
    assert "recorded" in done.stderr  # the copy has no commit
    assert list(home.iterdir()) == []  # the lab is gone


def test_a_lab_that_was_broken_by_hand_is_broken_again_and_shows_the_same_state(
    cli: Cli, checkout: Path, tmp_path: Path
) -> None:
    topology = tmp_path / "cut.yaml"
    topology.write_text(yaml.safe_dump(CUT))
    file = tmp_path / "cut.tar.gz"
    for lab in bring_up(cli, str(topology), "cut"):
        lab.run("fault.partition", "west", "east")
        lab.eventually("no answers", partial(_is_silent, lab))
        cli.run("bundle", lab.name, "--output", str(file))
    done = repro(cli, checkout, tmp_path / "home", file)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["what"]: row["now"] for row in json.loads(done.stdout)["rows"]}
    assert rows["link west->east"] == "partitioned"
    assert rows["traffic west/echo-east-echo"] == "not answered"


def _is_silent(lab: RunningLab) -> bool:
    return bool(lab.traffic("west", "echo-east").get("success") == 0)
