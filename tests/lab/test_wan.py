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


def test_up_follows_a_changed_and_a_removed_delay_without_a_restart(lab: RunningLab, file: Path) -> None:
    before = lab.host_pid()
    for wan, low, high in ((", delay: 100ms", 200, 400), ("", 0, 100)):
        file.write_text(TOPOLOGY.format(wan=wan))
        lab.run("up", str(file))
        lab.eventually(f"{low} ms", lambda low=low, high=high: low < middle(lab, "echo-east") < high)
    assert lab.host_pid() == before
