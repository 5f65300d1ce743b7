"""The fault ledger survives what happens to commands and files."""

from pathlib import Path

import pytest

from lab.base.errors import LabError
from lab.faults.ledger import Ledger
from lab.faults.model import Fault, Target, next_id

PAUSE = Fault("pause-1", "pause", Target(clusters=("east",)), since=12.5)
SPLIT = Fault(
    "partition-1",
    "partition",
    Target(clusters=("east",), others=("west",)),
    since=13.0,
    parameters={"n": 1},
    before={"east/shop/front": 2},
)


def test_what_is_put_is_read_back_the_same_by_another_reader(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.json").put(PAUSE)
    Ledger(tmp_path / "ledger.json").put(SPLIT.at("healing"))
    assert list(Ledger(tmp_path / "ledger.json").read().values()) == [PAUSE, SPLIT.at("healing")]


def test_a_dropped_fault_is_gone_and_dropping_twice_is_no_error(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.put(PAUSE)
    ledger.drop(PAUSE.id)
    ledger.drop(PAUSE.id)
    assert ledger.read() == {}


def test_a_damaged_ledger_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    path.write_text('[{"id": ')
    with pytest.raises(LabError, match="damaged") as caught:
        Ledger(path).read()
    assert "lab down" in caught.value.remedy


def test_ids_are_short_and_never_taken_twice() -> None:
    assert next_id("pause", set()) == "pause-1"
    assert next_id("pause", {"pause-1", "pause-2"}) == "pause-3"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(clusters=("east",)), "east"),
        (Target(clusters=("east",), others=("north", "west")), "east | north,west"),
        (Target(clusters=("east",), namespace="shop", service="front"), "east/shop/front"),
    ],
)
def test_a_target_reads_as_users_write_it(target: Target, text: str) -> None:
    assert str(target) == text
