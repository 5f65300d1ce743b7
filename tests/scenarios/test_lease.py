"""The faults of a run end by themselves, later than the run would have healed them."""

import pytest

from lab.ops.stage import PROGRAM_LIMIT, SLACK, lease
from lab.topology.scenario import Scenario


@pytest.mark.parametrize(
    ("steps", "length", "seconds"),
    [
        ([{"fault": "pause", "cluster": "east", "for": "10s"}], None, 10),
        ([{"fault": "pause", "cluster": "east", "at": "5s"}, {"heal": "all", "after": "7s"}], None, 12),
        ([{"fault": "pause", "cluster": "east"}], "40s", 40),
        ([{"fault": "pause", "cluster": "east"}, {"run": ["true"]}], None, PROGRAM_LIMIT),
    ],
)
def test_a_lease_covers_what_the_run_may_take(
    steps: list[object], length: str | None, seconds: float
) -> None:
    scenario = Scenario.model_validate({"steps": steps, "for": length})
    assert lease(scenario, scenario.steps[0]) == seconds + SLACK
