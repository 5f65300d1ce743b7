"""When a row meets its budget, and the arithmetic behind the rows."""

import pytest

from lab.ops.bench.model import Figure, growth, paired_ratio, percentile, shown

SECONDS = Figure("up", 6, "s")
SHARE = Figure("throughput", 0.9, "x", at_most=False)


@pytest.mark.parametrize(
    ("figure", "value", "verdict"),
    [
        (SECONDS, 6.0, "yes"),
        (SECONDS, 6.01, "no"),
        (SHARE, 0.9, "yes"),
        (SHARE, 0.89, "no"),
    ],
)
def test_a_budget_is_met_up_to_its_limit(figure: Figure, value: float, verdict: str) -> None:
    assert figure.measured(value).verdict == verdict


def test_a_row_without_a_value_is_neither_met_nor_missed() -> None:
    row = SECONDS.skipped("wrk is not installed")
    assert (row.verdict, row.to_json()["value"], row.note) == ("not measured", None, "wrk is not installed")


def test_a_budget_says_in_which_direction_it_binds() -> None:
    assert (SECONDS.limit, SHARE.limit) == ("≤ 6 s", "≥ 0.9x")


def test_the_ratio_of_pairs_is_not_moved_by_one_disturbed_pair() -> None:
    assert paired_ratio([(1.0, 1.0), (1.1, 1.0), (50.0, 1.0)]) == pytest.approx(1.1)


def test_a_slow_phase_that_hits_both_of_a_pair_cancels_out() -> None:
    assert paired_ratio([(1.0, 1.0), (9.0, 9.0), (5.0, 5.0)]) == 1.0


def test_the_99th_percentile_of_thirty_values_is_the_largest() -> None:
    assert percentile([float(value) for value in range(30)], 0.99) == 29.0


def test_the_50th_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.99)


def test_steps_of_different_size_at_the_same_speed_are_linear_growth() -> None:
    assert growth((500, 500, 1000), (2.0, 2.0, 4.0)) == pytest.approx(1.0)


def test_a_last_step_that_costs_three_times_as_much_per_item_grows_by_three() -> None:
    assert growth((500, 1000), (2.0, 12.0)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.4912, "ms", "0.491 ms"), (8200.4, "", "8,200"), (1.037, "x", "1.04x"), (0.0, "", "0")],
)
def test_values_are_shown_with_three_digits(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
