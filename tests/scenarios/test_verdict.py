"""A verdict as data: what came of each expectation over all rounds, on what, and what gives it again."""

import pytest

from lab.ops.run import Rehearsal, command
from lab.scenarios.outcome import Outcome
from lab.scenarios.verdict import Spread, figure
from tests.scenarios.recorded import VERSIONS, verdict


def outcome(value: float | None, ok: bool = True) -> Outcome:
    return Outcome("west/front", "outage", "whole run", "<= 2 s", f"{value} s", ok, value, "s")


def test_a_spread_has_the_least_the_median_and_the_greatest_and_how_often_it_held() -> None:
    spread = Spread([outcome(0.5), outcome(3.0, ok=False), outcome(1.0)])
    assert (spread.figures, spread.held, spread.word) == ((0.5, 1.0, 3.0), 2, "failed")
    data = spread.to_json()
    assert (data["min"], data["median"], data["max"], data["held"], data["rounds"]) == (0.5, 1.0, 3.0, 2, 3)


def test_what_has_no_figure_has_a_spread_in_words() -> None:
    spread = Spread([outcome(None), outcome(None)])
    assert (spread.figures, spread.told) == (None, ("None s",))


def test_the_data_say_what_it_came_about_on_and_what_gives_it_again() -> None:
    data = verdict(rounds=2).to_json()
    assert (data["versions"], data["command"]) == (VERSIONS, "lab run calls.yaml --seed 7")
    spread = next(one for one in data["spread"] if one["window"] == "during loss")
    assert (spread["measure"], spread["rounds"], spread["held"]) == ("success", 2, 0)
    assert len(data["rounds"]) == 2


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.99444, "share", "99.444%"),
        (0.0054, "s", "5.4 ms"),
        (0.0, "s", "0 ms"),
        (2.5, "s", "2.50 s"),
        (3.0, "", "3"),
    ],
)
def test_figures_are_worded_by_their_unit(value: float, unit: str, words: str) -> None:
    assert figure(value, unit) == words


def test_the_command_says_all_that_decides_the_verdict_and_no_more() -> None:
    asked = Rehearsal("mine", "embedded", keep=True, repeat=3, junit="x.xml", html="x.html", variant="flat")
    assert command("my file.yaml", asked, 7) == (
        "lab run 'my file.yaml' --lab mine --engine embedded --variant flat --repeat 3 --seed 7"
    )
    assert command("flat", Rehearsal(), 0) == "lab run flat --seed 0"
