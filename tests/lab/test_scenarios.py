"""`lab run` as users meet it: shipped scenarios hold, a broken promise fails, and nothing stays broken."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.base import shipped
from lab.topology.load import parse
from tests.lab.conftest import Cli, RunningLab, bring_up, left_behind

pytestmark = [pytest.mark.netns, pytest.mark.slow]

SHIPPED = [
    pytest.param(name, variant, id=f"{name}-{variant}".rstrip("-"))
    for name, path in sorted((one.stem, one) for one in (shipped.TOPOLOGIES / "scenarios").glob("*.yaml"))
    for variant in parse(path.read_text(), path.name).variants or ("",)
]
BROKEN = str(Path(__file__).with_name("broken-promise.yaml"))
NAME = "promise"


@pytest.fixture(scope="module")
def lab(cli: Cli) -> Iterator[RunningLab]:
    yield from bring_up(cli, BROKEN, NAME)


@pytest.fixture(scope="module")
def name(cli: Cli, request: pytest.FixtureRequest) -> Iterator[str]:
    """A shipped scenario, whose variants share one lab."""
    try:
        yield request.param
    finally:
        cli.run("down", "--lab", request.param, "--purge", code=None)


@pytest.mark.any_engine
@pytest.mark.parametrize(("name", "variant"), SHIPPED, indirect=["name"])
def test_a_shipped_scenario_holds_three_times_in_a_row(
    cli: Cli, name: str, variant: str, tmp_path: Path
) -> None:
    report, which = tmp_path / "junit.xml", ("--variant", variant) if variant else ()
    words = ("run", f"scenarios/{name}", *which, "--repeat", "3", "--keep", "--json", "--junit", str(report))
    done = cli.run(*words, code=None, timeout=280)
    assert done.stdout, done.stderr
    assert [one["verdict"] for one in json.loads(done.stdout)["rounds"]] == ["held"] * 3, done.stdout
    assert done.returncode == 0
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_a_run_takes_down_the_lab_that_it_brought_up(cli: Cli) -> None:
    assert "held" in cli.run("run", "scenarios/routing").stdout
    assert "routing" not in [row["lab"] for row in cli.json("list")]


def test_a_failed_expectation_ends_with_code_1_and_leaves_a_running_lab_up_and_healed(
    lab: RunningLab,
) -> None:
    done = lab.run("run", BROKEN, "--json", code=1)
    first, second = json.loads(done.stdout)["rounds"][0]["expectations"]
    assert first["ok"], first
    assert not second["ok"]
    assert "http-503" in second["seen"]
    assert lab.cli.json("fault.list", "--lab", NAME) == []
    assert "a scenario" in lab.kubectl("west", "get", "configmap", "note", "-o", "yaml")
    lab.eventually("healthy again", lab.healthy, within=60)


def test_a_fault_already_in_force_is_not_judged_and_not_healed(lab: RunningLab) -> None:
    lab.run("fault.pause", "west")
    assert "has faults in force: pause-1" in lab.run("run", BROKEN, code=2).stderr
    assert len(lab.cli.json("fault.list", "--lab", NAME)) == 1
    lab.run("fault.heal", "--all")
    lab.eventually("healthy again", lab.healthy, within=60)


def test_an_interrupted_run_heals_its_fault(lab: RunningLab) -> None:
    running = lab.cli.start("run", BROKEN, "--lab", NAME)
    lab.eventually("the fault in force", lambda: _states(lab) == ["active"], within=60)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=90)
    assert running.returncode == 130, said
    assert _states(lab) == []
    lab.eventually("healthy again", lab.healthy, within=60)


def test_an_interrupted_run_takes_down_the_lab_that_it_brought_up(cli: Cli, tmp_path: Path) -> None:
    own = replace(cli, home=tmp_path)
    running = own.start("run", BROKEN)
    lab = RunningLab(own, "broken-promise")
    try:
        lab.eventually("the fault in force", lambda: _states(lab) == ["active"], within=60)
        pid = lab.host_pid()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=90)
        assert running.returncode == 130, said
        assert (own.json("list"), left_behind(pid)) == ([], [])
    finally:
        own.run("down", "--all", "--purge", code=None)


def _states(lab: RunningLab) -> list[str]:
    return [row["state"] for row in json.loads(lab.dir.ledger.read_text())] if lab.dir.ledger.exists() else []
