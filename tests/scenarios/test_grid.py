"""What a matrix answers: cells in a grid, which of them are as expected, and data for programs."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from lab.scenarios.grid import Grid, Result, render
from lab.scenarios.judge import judge
from lab.scenarios.matrix import Cell
from lab.scenarios.verdict import Round
from lab.topology.bounds import Bound
from lab.topology.measures import Expectation
from tests.scenarios.recorded import TRAFFIC, course, verdict

CELL = Cell("", "gateway", "latest", "pause")
FAILED = Result(
    CELL, "lab matrix x --mode gateway", replace(verdict(), versions={"lab": "1", "mesh": "2.14"})
)
HELD = Result(
    replace(CELL, mode="flat"),
    "lab matrix x --mode flat",
    replace(
        verdict(),
        rounds=tuple(Round(one.course, one.outcomes[:1]) for one in verdict().rounds),
        versions={"lab": "1", "mesh": "latest"},
    ),
)
IMPOSSIBLE = Result(replace(CELL, fault="kill", reason="kill is over at once"), "lab matrix x --fault kill")
BROKEN = Result(replace(CELL, mode="flat", fault="kill"), "lab matrix x", error="lab x is not healthy")


def drawn(*results: Result) -> str:
    out = StringIO()
    Console(file=out, width=140).print(render(Grid("Calls go on", results, "lab matrix x")))
    return out.getvalue()


def test_a_cell_that_failed_names_the_expectation_and_what_was_measured() -> None:
    assert FAILED.told.startswith("west/echo success during loss: ")
    assert FAILED.told.endswith("asked >= 90%")


def test_of_several_rounds_a_cell_shows_one_that_did_not_hold_and_of_several_failures_how_many() -> None:
    asked = (
        Expectation(traffic=TRAFFIC, answered_by=("west",)),
        Expectation(traffic=TRAFFIC, p50=Bound("<=", 0.0001)),
    )
    outcomes = judge(asked, course())
    good = tuple(replace(one, ok=True, seen="as asked") for one in outcomes)
    mixed = replace(verdict(), rounds=(Round(course(), good), Round(course(), outcomes)))
    assert Result(CELL, "", mixed).told == (
        "west/echo answered_by: east, asked west (so in 1 of 2 rounds); 1 more"
    )


def test_a_cell_that_held_shows_the_figure_that_tells_most() -> None:
    assert HELD.told == "success before loss: 100%"


def test_only_cells_of_another_verdict_than_expected_make_a_matrix_fail() -> None:
    expected = replace(FAILED, cell=replace(CELL, expected="failed"))
    assert Grid("", [HELD, expected, IMPOSSIBLE], "").ok
    assert not Grid("", [HELD, FAILED], "").ok
    assert not Grid("", [HELD, BROKEN], "").ok


def test_the_grid_has_a_row_per_fault_and_a_column_per_way_and_tells_why_a_cell_cannot_be() -> None:
    text = drawn(FAILED, HELD, IMPOSSIBLE, BROKEN)
    head = next(line for line in text.splitlines() if "fault" in line)
    assert head.index("gateway latest") < head.index("flat latest")
    assert "✗ FAILED" in text
    assert "· impossible" in text
    assert "kill is over at once" in text
    assert "lab x is not healthy" in text
    assert "1 of 3 cells are as expected, 1 cannot be." in text
    assert "✗ lab matrix x --mode gateway\n" in text


def test_a_known_failure_is_shown_as_expected() -> None:
    assert "✓ FAILED, as expected" in drawn(replace(FAILED, cell=replace(CELL, expected="failed")))


def test_the_data_of_a_cell_say_how_it_differs_what_came_of_it_and_what_runs_it() -> None:
    data = Grid("t", [FAILED, IMPOSSIBLE], "lab matrix x").to_json()
    first, second = data["cells"]
    assert not data["ok"]
    assert (first["mode"], first["version"], first["fault"], first["variant"]) == (
        "gateway",
        "latest",
        "pause",
        None,
    )
    assert (first["verdict"], first["expected"], first["asExpected"]) == ("failed", "held", False)
    assert (first["key"]["measure"], first["key"]["held"]) == ("success", 0)
    assert first["command"] == "lab matrix x --mode gateway"
    assert first["run"]["rounds"][0]["verdict"] == "failed"
    assert (second["verdict"], second["reason"], second["run"]) == (
        "impossible",
        "kill is over at once",
        None,
    )


def test_versions_in_which_cells_differ_are_all_told() -> None:
    assert Grid("t", [FAILED, HELD], "").versions == {"lab": "1", "mesh": "2.14, latest"}


def test_variants_are_rows_too() -> None:
    text = drawn(*(replace(HELD, cell=Cell(name, "", "", "")) for name in ("old", "new")))
    assert [line.split("│")[1].strip() for line in text.splitlines() if "✓ held" in line] == ["old", "new"]
    assert "variant" in text
