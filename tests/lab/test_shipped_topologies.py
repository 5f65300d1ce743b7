"""Every other shipped topology comes up healthy, too."""

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up

pytestmark = [pytest.mark.netns, pytest.mark.slow, pytest.mark.any_engine]


@pytest.fixture(params=["three-clusters", "overlapping-cidr"])
def lab(cli: Cli, request: pytest.FixtureRequest):
    yield from bring_up(cli, str(request.param), str(request.param))


def test_it_is_healthy_with_traffic_across_clusters(lab: RunningLab) -> None:
    state = lab.status()
    assert state["state"] == "ready", state["problems"]
    assert all(cluster["pods"]["ready"] == cluster["pods"]["total"] > 0 for cluster in state["clusters"])
    assert {link["state"] for link in state["links"]} == {"up"}
    crossing = [s for s in state["services"] if set(s["answeredBy"]) - {s["cluster"]}]
    assert crossing, state["services"]
