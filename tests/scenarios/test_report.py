"""How a verdict is shown: the timeline, the table of several rounds, JUnit XML."""

from io import StringIO
from xml.etree import ElementTree

from rich.console import Console

from lab.apps.loadgen.records import Record
from lab.scenarios.course import Course, Event
from lab.scenarios.judge import judge
from lab.scenarios.report import junit, render, timeline
from lab.scenarios.verdict import Round, Verdict
from lab.topology.measures import Expectation

EVENTS = (
    Event("outage", "fault.pause east", 1.5, 1.6, 3.2, 3.4),
    Event("", "run x", 4.0, 4.1),
)


def course(errors=frozenset({2})):
    calls = [
        Record(1, "front", second + 0.5, second + 0.6, 10, 200, "reset" if second in errors else "", "west")
        for second in range(5)
    ]
    return Course(0.0, 6.0, EVENTS, {"west/front": calls})


def verdict(*rounds):
    wanted = [Expectation(traffic="west/front", status=(200,)), Expectation(no_errors_in="west")]
    return Verdict("demo", "It works", tuple(Round(one, judge(wanted, one)) for one in rounds))


def test_the_timeline_draws_faults_over_success_per_second():
    assert timeline(course()) == [
        "fault.pause east  ━━━",
        "run x                ╋",
        "west/front       ██x██ ",
        "seconds          0",
    ]


def test_rounds_stand_side_by_side_and_one_failure_fails_the_verdict():
    out = StringIO()
    made = verdict(course(), course(errors=()))
    Console(file=out, width=120).print(render(made))
    assert not made.ok
    assert "It works: failed in" not in out.getvalue()
    assert "It works: failed (held in 1 of 2 rounds)" in out.getvalue()
    assert "1 of 5 (reset) · 0 of 5" in out.getvalue()


def test_junit_has_a_case_for_each_measure_with_what_was_seen():
    suite = ElementTree.fromstring(junit(verdict(course())).split("\n", 1)[1])
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "wanted none, seen 1 of 5 (reset)"


def test_times_in_the_data_count_from_the_begin_of_the_run():
    event = verdict(course()).to_json()["rounds"][0]["events"][0]
    assert event == {
        "name": "outage",
        "words": "fault.pause east",
        "began": 1.5,
        "done": 1.6,
        "healing": 3.2,
        "healed": 3.4,
    }
