"""The small languages of the file: what is written parses back to what was meant."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.topology import grammar


@given(st.integers(0, 10**9))
def test_a_duration_survives_being_written(micros: int) -> None:
    assert grammar.parse_duration(grammar.format_duration(micros / 1e6)) == pytest.approx(micros / 1e6)


@given(st.integers(0, 100_000))
def test_a_share_survives_being_written(thousandths_of_percent: int) -> None:
    share = thousandths_of_percent / 100_000
    assert grammar.parse_percent(grammar.format_percent(share)) == pytest.approx(share)


@given(st.integers(1, 10**12))
def test_a_bandwidth_survives_being_written(bits: int) -> None:
    assert grammar.parse_bandwidth(grammar.format_bandwidth(bits)) == bits


@given(st.integers(1, 600_000), st.sampled_from("sm"))
def test_a_rate_survives_being_written(count: int, unit: str) -> None:
    rate = grammar.parse_frequency(f"{min(count, 10_000)}/{unit}")
    assert grammar.parse_frequency(grammar.format_frequency(rate)) == pytest.approx(rate)


@pytest.mark.parametrize(
    "parse",
    [grammar.parse_duration, grammar.parse_percent, grammar.parse_bandwidth, grammar.parse_frequency],
)
@given(junk=st.text(alphabet="0123456789.-+eE inf", max_size=8) | st.integers() | st.floats() | st.none())
def test_a_figure_without_its_unit_is_refused_with_an_example(
    parse: Callable[[object], float], junk: object
) -> None:
    with pytest.raises(ValueError, match=" like "):
        parse(junk)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("west <-> east", ("west", "east", True)),
        ("west->east", ("west", "east", False)),
        ("  a1 -> b-2 ", ("a1", "b-2", False)),
    ],
)
def test_a_link_is_two_clusters_and_a_direction(text: str, meaning: tuple[str, str, bool]) -> None:
    assert grammar.parse_link(text) == meaning


@pytest.mark.parametrize("text", ["west", "west <- east", "west -> ", "West -> east", "a -> b -> c"])
def test_what_is_not_a_link_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a <-> b"):
        grammar.parse_link(text)
