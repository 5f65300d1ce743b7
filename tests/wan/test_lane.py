"""The queue model of an impaired path, with a clock and dice of the test's own."""

import statistics
from random import Random

import pytest

from lab.engines.embedded.wan.lane import BURST, LONGEST_QUEUE, Conditions, Lane, combined

FULL = 1500


def lane(seed: int = 1, **settings: float) -> Lane:
    return Lane(Conditions(**settings), Random(seed))


def test_a_plain_path_lets_everything_through_at_once() -> None:
    assert lane().admit(7.0, FULL) == (7.0,)


def test_a_delay_holds_every_packet_up_for_just_that_long() -> None:
    assert [lane(delay=0.05).admit(float(now), FULL) for now in range(3)] == [(0.05,), (1.05,), (2.05,)]


def test_jitter_spreads_the_delay_evenly_around_its_middle() -> None:
    path = lane(delay=0.05, jitter=0.01)
    delays = [path.admit(float(now), FULL)[0] - now for now in range(2000)]
    assert 0.04 <= min(delays) < 0.041
    assert 0.059 < max(delays) <= 0.06
    assert statistics.mean(delays) == pytest.approx(0.05, abs=0.001)


def test_jitter_never_lets_a_packet_overtake_another() -> None:
    path = lane(delay=0.05, jitter=0.05)
    times = [path.admit(number / 10_000, FULL)[0] for number in range(2000)]
    assert times == sorted(times)


def test_jitter_beyond_the_delay_never_sends_before_the_packet_came() -> None:
    path = lane(delay=0.001, jitter=0.05)
    assert all(path.admit(float(now), FULL)[0] >= now for now in range(200))


def test_the_share_of_lost_packets_is_as_asked_and_the_same_for_the_same_seed() -> None:
    def lost(seed: int) -> list[int]:
        path = lane(seed, loss=0.01)
        return [number for number in range(20_000) if not path.admit(0.0, FULL)]

    assert 120 < len(lost(1)) < 280
    assert lost(1) == lost(1) != lost(2)


def test_the_share_of_doubled_packets_is_as_asked() -> None:
    path = lane(duplicate=0.1)
    copies = [len(path.admit(0.0, FULL)) for _ in range(5000)]
    assert set(copies) == {1, 2}
    assert 400 < copies.count(2) < 600


def test_packets_leave_at_the_rate_after_a_burst() -> None:
    path = lane(rate=8_000_000)  # a byte per microsecond
    times = [path.admit(10.0, 1000)[0] for _ in range(100)]
    at_once = [time for time in times if time == 10.0]
    assert len(at_once) == BURST // 1000
    assert times[-1] == pytest.approx(10.0 + (100_000 - BURST) / 1e6)


def test_silence_earns_one_burst_and_no_more() -> None:
    path = lane(rate=8_000_000)
    for _ in range(100):
        path.admit(0.0, 1000)
    times = [path.admit(60.0, 1000)[0] for _ in range(100)]
    assert times.count(60.0) == BURST // 1000


def test_what_would_wait_too_long_for_the_rate_is_lost() -> None:
    path = lane(rate=800_000)  # 100 bytes per millisecond
    times = [time for _ in range(500) for time in path.admit(0.0, 1000)]
    assert len(times) < 100
    assert LONGEST_QUEUE <= times[-1] < LONGEST_QUEUE + 0.05


def test_the_delay_comes_on_top_of_the_wait_for_the_rate() -> None:
    path = lane(rate=8_000_000, delay=0.05)
    times = [path.admit(0.0, 1000)[0] for _ in range(100)]
    assert times[0] == 0.05
    assert times[-1] == pytest.approx(0.05 + (100_000 - BURST) / 1e6)


def test_a_later_layer_says_what_it_says_and_keeps_the_rest() -> None:
    assert combined({"delay": 0.05, "loss": 0.1}, {"loss": 0.5}, {"rate": 1e6}) == Conditions(
        delay=0.05, loss=0.5, rate=1e6
    )


def test_the_asked_share_of_packets_has_one_wrong_bit_behind_its_ip_header() -> None:
    path, packet = lane(corrupt=0.25), bytes([0x45]) + bytes(FULL - 1)
    wrong = [found for _ in range(2000) if (found := path.passed(packet)) != packet]
    assert len(wrong) == pytest.approx(500, abs=80)
    assert all(found[:20] == packet[:20] and sum(map(int.bit_count, found[20:])) == 1 for found in wrong)


def test_a_packet_of_nothing_but_a_header_stays_whole() -> None:
    assert lane(corrupt=1.0).passed(bytes([0x45]) + bytes(19)) == bytes([0x45]) + bytes(19)
