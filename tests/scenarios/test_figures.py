"""What the charts of a run show, before anything is drawn."""

from dataclasses import replace

import pytest

from lab.apps.loadgen.records import Record
from lab.scenarios.course import Course, Event, Sample
from lab.scenarios.figures import DOTS, chart


def call(sent: float, took: float = 10.0, error: str = "", cluster: str = "west") -> Record:
    return Record(
        0, "front", sent, sent + took / 1000, took, 503 if error else 200, error, "" if error else cluster
    )


def course(*calls: Record, length: float = 10.0, events: tuple[Event, ...] = ()) -> Course:
    return Course(0.0, length, events, {"west/front": calls})


def test_calls_are_counted_in_the_column_in_which_they_were_sent() -> None:
    shown = chart(course(call(0.1), call(0.2, error="reset"), call(0.9, cluster="east")))
    first, second, *rest = shown.panels[0].columns
    assert (shown.width, first.calls, first.success, first.errors, first.shares) == (
        0.5,
        2,
        0.5,
        {"reset": 1},
        {"west": 1.0},
    )
    assert (second.calls, second.shares) == (1, {"east": 1.0})
    assert [one.success for one in rest] == [None] * 18


def test_latencies_leave_out_calls_that_failed_at_once_but_not_those_that_timed_out() -> None:
    late = replace(call(0.3, 5000.0, error="timeout"), status=0)
    reset = replace(call(0.2, 0.1, error="reset"), status=0)
    (column, *_) = chart(course(call(0.1, 20.0), reset, late)).panels[0].columns
    assert (column.p50, column.p99) == (20.0, 5000.0)


def test_what_is_left_at_the_end_belongs_to_the_last_column() -> None:
    panel = chart(course(call(10.05), length=10.1)).panels[0]
    assert len(panel.columns) == 20
    assert panel.columns[-1].calls == 1


def test_long_runs_have_wider_columns() -> None:
    assert chart(course(call(1.0), length=300.0)).width == 5.0


@pytest.mark.parametrize(
    ("event", "begin", "end", "lasting"),
    [
        (Event("", "fault.pause east", 1.0, 1.2, 3.0, 3.5), 1.0, 3.5, True),
        (Event("", "fault.pause east", 1.0, 1.2), 1.0, 10.0, True),
        (Event("", "fault.kill east/shop/front", 1.0, 1.2), 1.0, 1.2, False),
        (Event("", "fault.node east --restart", 1.0, 1.2), 1.0, 1.2, False),
        (Event("", "apply objects", 1.0, 1.2), 1.0, 1.2, False),
    ],
    ids=["healed", "never healed", "kill", "restart", "apply"],
)
def test_a_fault_lasts_until_it_is_healed_and_other_steps_are_over_at_once(
    event: Event, begin: float, end: float, lasting: bool
) -> None:
    (bar,) = chart(course(events=(event,))).bars
    assert (bar.begin, bar.end, bar.lasting) == (begin, end, lasting)


def test_of_very_many_calls_only_those_that_failed_are_drawn_one_by_one() -> None:
    many = [call(number / 1000, error="reset" if number % 1000 == 0 else "") for number in range(DOTS + 1)]
    panel = chart(course(*many)).panels[0]
    assert not panel.complete
    assert {one.error for one in panel.dots} == {"reset"}
    assert panel.total.calls == DOTS + 1


def test_traffic_that_is_asked_for_first_comes_first() -> None:
    both = Course(0.0, 1.0, (), {"east/front": [call(0.1)], "west/front": [call(0.1)]})
    assert [panel.traffic for panel in chart(both, ["probe x", "west/front"]).panels] == [
        "west/front",
        "east/front",
    ]


def test_a_probe_of_numbers_has_a_chart_with_gaps_where_it_had_no_answer() -> None:
    taken = [Sample(0.5, 1.0), Sample(1.0, None, "no answer in time"), Sample(1.5, 2.0)]
    seen = Course(0.0, 2.0, (), {}, {"pods": taken, "ready": [Sample(0.5, "True")]})
    (trace,) = chart(seen).traces
    assert (trace.probe, trace.points) == ("pods", ((0.5, 1.0), (1.0, None), (1.5, 2.0)))
