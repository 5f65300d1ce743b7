"""The fault ledger survives what happens to commands and files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.base.errors import LabError
from lab.faults.ledger import Ledger
from lab.faults.model import Fault, Target, next_id, unfinished

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


def test_commands_that_write_at_once_lose_no_fault(tmp_path: Path) -> None:
    writers = []
    for writer in range(4):
        if (pid := os.fork()) == 0:
            for number in range(10):
                Ledger(tmp_path / "ledger.json").put(replace(PAUSE, id=f"pause-{writer}-{number}"))
            os._exit(0)
        writers.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in writers] == [0] * 4
    assert len(Ledger(tmp_path / "ledger.json").read()) == 40


def test_what_goes_with_the_lab_is_forgotten_and_a_damaged_record_with_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.put(PAUSE)
    ledger.put(SPLIT)
    ledger.keep_only(lambda fault: fault.kind == "pause")
    assert list(ledger.read()) == [PAUSE.id]
    (tmp_path / "ledger.json").write_text("[")
    ledger.keep_only(lambda fault: True)
    assert ledger.read() == {}


def test_only_faults_on_their_way_and_those_past_their_lease_are_unfinished() -> None:
    active = SPLIT.at("active")
    leased = replace(active, id="partition-2", expires=50.0)
    known = {one.id: one for one in (PAUSE, active, leased)}
    assert unfinished(known, 49.0) == (PAUSE,)
    assert unfinished(known, 50.0) == (leased, PAUSE)


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
