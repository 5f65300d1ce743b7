"""Verdicts from courses written by hand: which calls count, and what holds."""

import pytest

from lab.apps.loadgen.records import Record
from lab.scenarios.course import Course, Event, Sample
from lab.scenarios.judge import judge
from lab.topology.measures import Expectation

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


def test_after_one_step_and_before_another_is_the_time_between_them():
    events = [Event("one", "apply a", 2.0, 2.2), Event("two", "apply b", 6.0, 6.2)]
    made = course(failing(2.25, 5.95), events)
    seen = verdict(made, after="one", before="two", skip="300ms", success="= 0%")
    assert seen == [("0% of 35 (connect)", True)]
    assert verdict(made, after="two", before="one", success=">= 0%") == [("no calls", False)]


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


def test_an_outage_lasts_to_the_next_good_call_and_only_the_longest_counts():
    def twice(due):
        return call(due, error="connect" if 1.95 < due < 2.45 or 4.95 < due < 5.95 else "")

    assert verdict(course(twice), outage="<= 1s")[0][0] == "1.00 s ± 0.10 s"


def test_grpc_statuses_are_listed_by_name():
    made = course(lambda due: call(due, error="grpc-UNAVAILABLE" if due > 5 else ""))
    assert verdict(made, grpc_status=["OK", "UNAVAILABLE"]) == [("OK, UNAVAILABLE", True)]


def test_a_403_of_the_mesh_is_a_denial_and_one_of_an_app_is_not():
    def refused(due, pod=""):
        return Record(1, "front", due, due, 1.0, 403, "http-403", pod=pod)

    assert verdict(course(refused), policy="denied")[0][1]
    assert not verdict(course(lambda due: refused(due, "front-1")), policy="denied")[0][1]
    assert verdict(course(call), policy="allowed")[0][1]


def test_traffic_is_faster_than_other_traffic_by_the_median():
    slow = course(lambda due: call(due, took=0.03)).calls["west/front"]
    quick = course(call)
    made = Course(0.0, 10.0, (), {**quick.calls, "west/slow": slow})
    assert verdict(made, faster_than="west/slow") == [("10.0 ms against 30.0 ms", True)]


def probing(values, **expected):
    """The outcomes about a probe that saw these values, one per second."""
    samples = [Sample(float(second), value) for second, value in enumerate(values)]
    made = Course(0.0, 10.0, (OUTAGE,), {}, {"alive": samples})
    wanted = Expectation.model_validate({"probe": "alive", **expected})
    return [(outcome.seen, outcome.ok) for outcome in judge([wanted], made)]


def test_every_value_of_a_probe_must_be_what_is_wanted():
    assert probing([1.0] * 10, value=1) == [("1", True)]
    assert probing([1.0] * 9 + [0.0], value=1) == [("1, 0", False)]
    assert probing(["True"] * 10, value="T*") == [("True", True)]
    assert probing([1.0, None], value=1)[0][1] is False


def test_a_counter_is_judged_by_how_far_it_went():
    assert probing([5.0, 6.0, 9.0], delta="<= 4") == [("4", True)]
    assert probing([5.0], delta="<= 4") == [("5", False)]


def test_what_must_stay_is_judged_by_how_often_it_changed():
    assert probing(["a", None, "a"], changes="= 0") == [("0", True)]
    assert probing(["a", "b", "a"], changes="= 0") == [("2: a, b", False)]
    assert probing([None], changes="= 0")[0][1] is False


def test_detection_is_counted_from_the_begin_of_the_fault():
    seen = probing([1.0] * 5 + [0.0] * 5, value=0, during="outage", detect_within="2s")
    assert seen == [("2.00 s ± 1.00 s", True)]


def test_what_was_so_before_the_fault_is_not_detected():
    assert not probing([0.0] * 10, value=0, during="outage", detect_within="2s")[0][1]


def test_a_step_that_was_not_done_shows_nothing():
    made = course(call)
    assert verdict(made, after="outage", success="= 100%") == [("no calls", False)]
    assert verdict(made, during="outage", shift_within="1s") == [("the step was not done", False)]
