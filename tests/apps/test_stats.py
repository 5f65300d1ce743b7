"""The load generator's figures: pure functions over records."""

import pytest

from lab.apps.loadgen.records import Record, Ring
from lab.apps.loadgen.stats import per_target, percentile, shares, summarise
from lab.apps.loadgen.targets import Target

FRONT = Target("front", "http://front.shop/", 50)


def record(seq=1, latency=2.0, status=200, error="", done=100.0, target="front", **seen):
    return Record(seq, target, done - latency / 1000, done, latency, status, error, **seen)


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([], 0.5, None), ([7.0], 0.99, 7.0), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.99, 99)],
    ids=["nothing", "one", "even", "hundred"],
)
def test_a_percentile_is_the_nearest_rank(values, share, wanted):
    assert percentile(values, share) == wanted


def test_shares_ignore_those_who_did_not_say_where_they_are():
    assert shares(["west", "", "west", "west", "east"]) == {"west": 0.75, "east": 0.25}


def test_errors_count_against_success_and_not_for_the_answering_cluster():
    records = [record(cluster="west"), record(status=502, error="http-502", cluster="east")]
    stats = summarise(FRONT, records, window=1)
    assert (stats.success, stats.answered_by, stats.errors) == (0.5, {"west": 1.0}, {"http-502": 1})


def test_requests_that_failed_at_once_do_not_make_latency_look_good():
    refused = [record(latency=0.1, status=0, error="connect") for _ in range(9)]
    assert summarise(FRONT, [*refused, record(latency=20.0)], window=1).p50_ms == 20.0


def test_timeouts_count_into_latency():
    records = [record(latency=1.0), record(latency=5000.0, status=0, error="timeout")]
    assert summarise(FRONT, records, window=1).p99_ms == 5000.0


def test_a_target_without_requests_has_no_success_rather_than_zero():
    stats = per_target([FRONT], [], window=10)["front"]
    assert (stats.count, stats.success, stats.p50_ms) == (0, None, None)


def test_identities_seen_are_listed_once():
    records = [record(client="b"), record(client="a"), record(client="a"), record()]
    assert summarise(FRONT, records, window=1).identity_seen == ("a", "b")


def test_the_ring_keeps_the_newest_and_hands_out_what_came_since():
    ring = Ring(capacity=3)
    for number in range(5):
        ring.add(record(seq=ring.next_seq(), done=float(number)))
    assert [kept.seq for kept in ring.since_seq(0)] == [3, 4, 5]
    assert [kept.seq for kept in ring.since_seq(4)] == [5]
    assert [kept.done for kept in ring.since_time(3.0)] == [3.0, 4.0]
