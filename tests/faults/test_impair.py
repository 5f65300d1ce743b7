"""What the command line says of an impairment, as the ledger and the engine have it."""

import pytest

from lab.base.errors import UsageError
from lab.engines.protocol import EngineFault
from lab.faults.impair import engine_parts, suffered
from lab.faults.model import Fault, Target
from lab.faults.settings import parameters, words


def fault(*, one_way: bool = False, **settings: str) -> Fault:
    target = Target(clusters=("west",), others=("east",))
    found = parameters("impair", {**settings, "one_way": one_way})
    return Fault("impair-1", "impair", target, 0.0, "active", found)


ALL = {"delay": "50ms", "jitter": "5ms", "loss": "0.1%", "duplicate": "2%", "corrupt": "1%", "rate": "10mbit"}


def test_settings_are_whole_numbers_and_read_back_as_they_were_written() -> None:
    assert fault(one_way=False, **ALL).parameters == {
        "delay_us": 50_000,
        "jitter_us": 5000,
        "loss_ppm": 1000,
        "duplicate_ppm": 20_000,
        "corrupt_ppm": 10_000,
        "rate_bps": 10_000_000,
    }
    assert words(fault(one_way=False, **ALL)) == ALL


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"delay": ""}, "at least one of --delay, --jitter"),
        ({"delay": "50"}, '--delay: found "50"; allowed: a duration like 20ms'),
        ({"loss": "120%"}, '--loss: found "120%"; allowed: a share'),
        ({"rate": "0mbit"}, "--rate"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(settings: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parameters("impair", settings)


def test_the_engine_gets_a_part_for_each_direction() -> None:
    def part(source: str, target: str) -> EngineFault:
        ends = frozenset({target}), frozenset({source})
        return EngineFault("impair", *ends, one_way=True, settings=(("delay", 0.05),))

    assert engine_parts(fault(delay="50ms")) == {part("west", "east"), part("east", "west")}
    assert engine_parts(fault(one_way=True, delay="50ms")) == {part("west", "east")}


def test_a_link_shows_its_own_settings_and_over_them_those_of_faults() -> None:
    one_way = fault(one_way=True, loss="1%")
    link = {"delay": "20ms", "loss": "5%"}
    assert suffered(("west", "east"), link, [one_way]) == {"delay": "20ms", "loss": "1%"}
    assert suffered(("east", "west"), link, [one_way]) == link
