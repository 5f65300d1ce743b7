"""The tables of `status`: what a user must be able to read off them."""

import pytest
from rich.console import Console

from lab.observe.build import build
from lab.observe.facts import KubeFacts
from lab.observe.table import milliseconds, render, success


def printed(state, width=140):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(render(state))
    return capture.get()


def test_a_healthy_lab_prints_its_clusters_links_and_traffic(observation):
    text = printed(build(observation()))
    assert "west" in text
    assert "gateway+flat+federated" in text
    assert "loadgen.traffic" in text
    assert "no problems" in text


def test_a_problem_is_printed_with_its_remedy(observation, west):
    text = printed(
        build(observation(kube={"west": west(), "east": KubeFacts(error="no answer within 1.5 s")}))
    )
    assert "lab up --cluster east" in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (None, "-")],
    ids=["all", "almost-all-is-not-all", "half", "no-requests"],
)
def test_success_is_100_percent_only_if_nothing_failed(share, text):
    assert success(share).plain == text


def test_latency_has_one_digit_while_it_is_small():
    assert (milliseconds(1.234), milliseconds(250.4), milliseconds(None)) == ("1.2 ms", "250 ms", "-")
