"""What counts as the same outcome."""

from typing import Any

import pytest
from rich.console import Console

from lab.ops.repro.compare import shown, states, verdicts
from tests.ops.repro.made import verdict


def test_figures_may_differ_as_long_as_the_outcome_is_the_same() -> None:
    (row,) = verdicts(verdict(False), verdict(False, seen="97.2% of 120"))
    assert row.same
    assert row.what == "west/echo success >= 99% (whole run)"
    assert (row.seen_then, row.seen_now) == ("98% of 100", "97.2% of 120")


def test_an_expectation_that_failed_in_one_round_failed() -> None:
    (row,) = verdicts(verdict(True, False), verdict(True, True))
    assert (row.then, row.now, row.same) == ("failed", "held", False)


def test_an_expectation_that_only_one_side_has_differs() -> None:
    other = verdict(True)
    other["rounds"][0]["expectations"][0]["wanted"] = ">= 90%"
    assert [(row.then, row.now) for row in verdicts(verdict(False), other)] == [
        ("failed", "nothing"),
        ("nothing", "held"),
    ]


def state(**traffic: Any) -> dict[str, Any]:
    row = {"cluster": "west", "traffic": "front", "success": 1.0, "answeredBy": {"west": 0.97, "east": 0.03}}
    return {
        "clusters": [{"name": "west", "state": "ready"}],
        "links": [{"from": "west", "to": "east", "state": "up"}],
        "services": [{**row, **traffic}],
    }


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({}, "answered by west"),
        ({"success": None}, "not called"),
        ({"success": 0.0, "answeredBy": {}}, "not answered"),
        ({"success": 0.5}, "partly answered by west"),
        ({"answeredBy": {"west": 0.5, "east": 0.5}}, "answered by east, west"),
    ],
)
def test_a_state_is_compared_by_who_answers(now: dict[str, Any], words: str) -> None:
    rows = states(state(), state(**now))
    assert [row.what for row in rows] == ["cluster west", "link west->east", "traffic west/front"]
    assert rows[2].now == words
    assert rows[2].same is (now == {})


def test_what_differs_is_shown_first_and_no_terminal_obeys_it() -> None:
    console = Console(width=120)
    rows = [*verdicts(verdict(True), verdict(True)), *verdicts(verdict(True, seen="\x1b[2J"), verdict(False))]
    with console.capture() as said:
        console.print(shown(rows, "head"))
    lines = said.get().splitlines()
    assert lines[0] == "head"
    assert lines[3].startswith("DIFFERS")
    assert "held: ?[2J" in lines[3]
