"""A link with a delay: whoever calls over it waits, nobody else does, and `up` follows the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = pytest.mark.netns
TOPOLOGY = """
name: wan
clusters:
  west: {{}}
  east: {{}}
links:
  - {{from: west, to: east, both: true, modes: [gateway]{wan}}}
apps:
  - {{app: echo, export: gateway}}
traffic:
  - {{from: west, to: "http://echo-east.echo", rate: 20/s}}
  - {{from: west, to: "http://echo.echo", rate: 20/s}}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("topologies") / "wan.yaml"
    path.write_text(TOPOLOGY.format(wan=", delay: 60ms"))
    return path


@pytest.fixture(scope="module")
def lab(cli: Cli, file: Path) -> Iterator[RunningLab]:
    yield from bring_up(cli, str(file), "wan")


def middle(lab: RunningLab, service: str) -> float:
    return float(lab.traffic("west", service).get("p50Ms") or 0)


def test_a_call_over_a_slow_link_takes_a_round_trip_longer_and_a_local_one_does_not(lab: RunningLab) -> None:
    lab.eventually("calls to east wait for 120 ms", lambda: 120 <= middle(lab, "echo-east") < 250)
    assert middle(lab, "echo") < 100


def in_force(lab: RunningLab) -> list[tuple[str, str]]:
    return [(row["what"], row["actual"]) for row in lab.cli.json("fault.list", "--lab", lab.name)]


def impairments(lab: RunningLab) -> list[dict[str, str]]:
    return [link["impairment"] for link in lab.status()["links"]]


@pytest.mark.slow
def test_a_fault_adds_to_what_the_link_says_and_healing_it_brings_the_link_back(lab: RunningLab) -> None:
    lab.run("fault.impair", "west", "east", "--loss", "1%")
    lab.run("fault.impair", "west", "east", "--delay", "150ms", "--one-way")
    assert in_force(lab) == [
        ("impair loss 1%", "in force"),
        ("impair delay 150ms one-way", "in force"),
    ]
    assert impairments(lab) == [{"delay": "150ms", "loss": "1%"}, {"delay": "60ms", "loss": "1%"}]
    lab.eventually("150 there and 60 back", lambda: 210 <= middle(lab, "echo-east") < 350)
    lab.run("fault.heal", "impair-2")
    assert in_force(lab) == [("impair loss 1%", "in force")]
    lab.eventually("60 there and back", lambda: 120 <= middle(lab, "echo-east") < 200)
    lab.run("fault.heal", "--all")
    assert impairments(lab) == [{"delay": "60ms"}] * 2


def test_a_wrong_setting_is_refused(lab: RunningLab) -> None:
    refused = lab.run("fault.impair", "west", "east", "--delay", "50", code=2)
    assert '--delay: found "50"; allowed: a duration' in refused.stderr
    assert in_force(lab) == []


def test_up_follows_a_changed_and_a_removed_delay_without_a_restart(lab: RunningLab, file: Path) -> None:
    before = lab.host_pid()
    for wan, low, high in ((", delay: 100ms", 200, 400), ("", 0, 100)):
        file.write_text(TOPOLOGY.format(wan=wan))
        lab.run("up", str(file))
        lab.eventually(f"{low} ms", lambda low=low, high=high: low < middle(lab, "echo-east") < high)
    assert lab.host_pid() == before
