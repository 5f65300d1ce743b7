"""Verdicts from courses written by hand: which calls count, and what holds."""

import pytest

from lab.apps.loadgen.records import Record
from lab.scenarios.course import Course, Event
from lab.scenarios.judge import judge
from lab.topology.scenario import Expectation

PERIOD = 0.1


def call(due, cluster="west", error="", took=0.01, client="loadgen", status=200):
    status = 0 if error else status
    return Record(1, "front", due, due + took, took * 1000, status, error, cluster, client=client)


def course(answer, events=(), end=10.0):
    """Ten calls per second from two seconds before the run on; `answer` says how each went."""
    made = tuple(answer(-2 + number * PERIOD) for number in range(int((end + 2) / PERIOD)))
    return Course(0.0, end, tuple(events), {"west/front": made})


OUTAGE = Event("outage", "fault.scale west/shop/front", began=3.0, done=3.2, healing=6.0, healed=6.5)


def verdict(course_, **expected):
    """The outcomes of one expectation about west/front, as (seen, ok)."""
    about = {} if "no_errors_in" in expected else {"traffic": "west/front"}
    outcomes = judge([Expectation.model_validate({**about, **expected})], course_)
    return [(outcome.seen, outcome.ok) for outcome in outcomes]


def failing(begin, end):
    return lambda due: call(due, error="connect" if begin <= due < end else "")


def moving(there, back):
    return lambda due: call(due, "east" if there <= due < back else "west")


def test_success_is_the_share_of_calls_due_in_the_run():
    made = course(failing(0.95, 1.95))
    assert verdict(made, success=">= 90%") == [("90% of 100 (connect)", True)]
    assert verdict(made, success="> 90%") == [("90% of 100 (connect)", False)]


def test_calls_before_the_run_do_not_count():
    assert verdict(course(failing(-2, -0.05)), success="= 100%")[0][1]


@pytest.mark.parametrize(
    ("window", "ok"),
    [({"before": "outage"}, True), ({"during": "outage"}, False), ({"after": "outage"}, True)],
)
def test_a_window_holds_the_calls_of_its_time_only(window, ok):
    assert verdict(course(failing(3.05, 5.95), [OUTAGE]), success="= 100%", **window)[0][1] is ok


def test_a_call_under_way_when_a_fault_begins_belongs_to_the_fault():
    def hanging(due):
        return call(due, error="timeout", took=5) if 2.85 < due < 2.95 else call(due)

    assert not verdict(course(hanging, [OUTAGE]), during="outage", success="= 100%")[0][1]


def test_time_to_react_is_left_out():
    made = course(failing(3.05, 4.0), [OUTAGE])
    assert verdict(made, during="outage", skip="1s", success="= 100%")[0][1]


def test_a_window_without_calls_shows_nothing():
    made = Course(0.0, 10.0, (), {})
    assert verdict(made, success=">= 0%") == [("no calls", False)]
    assert verdict(made, no_errors_in="west") == [("no calls", False)]


def test_latency_counts_what_was_answered_or_timed_out():
    def mixed(due):
        return call(due, error="connect", took=0) if due > 5 else call(due, took=0.02)

    assert verdict(course(mixed), p50="<= 20ms", p99="< 20ms") == [("20.0 ms", True), ("20.0 ms", False)]


def test_exactly_the_named_clusters_must_have_answered():
    made = course(moving(3, 6))
    assert verdict(made, answered_by=["west", "east"]) == [("east, west", True)]
    assert verdict(made, answered_by="west") == [("east, west", False)]
    assert verdict(made, answered_by=["west", "east", "asia"]) == [("east, west", False)]


def test_shares_are_of_the_answers():
    made = course(lambda due: call(due, "east" if due > 7.45 else "west"))
    assert verdict(made, share={"west": ">= 75%", "asia": "= 0%"}) == [("75%", True), ("0%", True)]


def test_identities_fit_patterns():
    made = course(lambda due: call(due, client="loadgen.traffic.cluster.local"))
    assert verdict(made, identity="loadgen.*")[0][1]
    assert not verdict(made, identity="gateway.*")[0][1]


def test_statuses_are_listed_exactly():
    made = course(lambda due: call(due, status=503 if due > 5 else 200))
    assert verdict(made, status=200) == [("200, 503", False)]
    assert verdict(made, status=[200, 503]) == [("200, 503", True)]


@pytest.mark.parametrize("took", [0.0, 0.4, 1.5])
def test_a_shift_is_measured_to_the_period_of_the_calls(took):
    ((seen, ok),) = verdict(course(moving(3 + took, 6), [OUTAGE]), during="outage", shift_within="1s")
    assert float(seen.split()[0]) == pytest.approx(took, abs=PERIOD)
    assert ok is (took <= 1)


def test_a_shift_that_still_fails_calls_has_not_happened():
    made = course(failing(3.05, 6), [OUTAGE])
    assert verdict(made, during="outage", shift_within="1s") == [("not in 3.0 s", False)]


def test_a_failback_is_counted_from_when_the_fault_was_healed():
    ((seen, ok),) = verdict(course(moving(3, 8), [OUTAGE]), during="outage", failback_within="1s")
    assert float(seen.split()[0]) == pytest.approx(1.5, abs=PERIOD)
    assert not ok


def test_a_few_strays_do_not_undo_a_failback():
    def straying(due):
        return call(due, "east" if 3 <= due < 6.5 or 12.05 < due < 12.15 else "west")

    made = course(straying, [OUTAGE], end=20.0)
    assert verdict(made, during="outage", failback_within="500ms")[0][1]


def test_no_errors_in_a_cluster_is_about_all_its_traffic():
    calls = {"west/a": (call(1),), "west/b": (call(2, error="reset"),), "east/a": (call(1),)}
    made = Course(0.0, 3.0, (), calls)
    assert verdict(made, no_errors_in="west") == [("1 of 2 (reset)", False)]
    assert verdict(made, no_errors_in="east") == [("0 of 1", True)]
