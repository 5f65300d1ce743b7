"""Drawing and shrinking, with a condition that needs no lab."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.base.errors import CheckFailed, LabError, UsageError
from lab.ops.search.hunt import Budget, Hunt, Unplayable, budget, shortest
from lab.ops.search.space import Hit, Hits, candidates, words
from tests.ops.search.test_space import EVERY, TOPOLOGY

BUDGET = Budget(tries=200, seconds=60, faults=4, seed=1)


def hunted(fails: Callable[[Hits], bool], budget: Budget = BUDGET) -> tuple[str, Hunt]:
    hunt = Hunt(fails, budget)
    found = shortest(EVERY, hunt)
    return words(found or ()), hunt


def has(kind: str, cluster: str) -> Callable[[Hit], bool]:
    return lambda hit: hit.candidate.kind == kind and cluster in hit.candidate.clusters


@pytest.mark.parametrize("seed", range(3))
def test_what_fails_by_one_fault_is_shortened_to_it(seed: int) -> None:
    found, _hunt = hunted(
        lambda sequence: any(map(has("kill", "west"), sequence)), Budget(200, 60, faults=4, seed=seed)
    )
    assert found.startswith("fault.kill west/")
    assert found.count("fault.") == 1


def test_what_takes_two_faults_in_this_order_keeps_both() -> None:
    def fails(sequence: Hits) -> bool:
        kinds = [hit.candidate.kind for hit in sequence]
        return "partition" in kinds and "dns" in kinds[kinds.index("partition") :]

    few = candidates(TOPOLOGY, ("partition", "dns", "pause"), ("west",))
    assert words(shortest(few, Hunt(fails, BUDGET)) or ()) == (
        "fault.partition west east for 3 s, then fault.dns west for 3 s"
    )


def test_the_same_seed_tries_the_same_sequences() -> None:
    one, other = (hunted(lambda _sequence: False)[1].known for _ in range(2))
    assert list(one) == list(other)


def test_nothing_is_played_twice_nor_beyond_the_tries() -> None:
    played: list[str] = []

    def fails(sequence: Hits) -> bool:
        played.append(words(sequence))
        return False

    found, _hunt = hunted(fails, Budget(12, 60, faults=2))
    assert found == "no fault"
    assert len(played) == len(set(played)) == 12


def test_nothing_is_played_when_the_time_is_over() -> None:
    found, hunt = hunted(lambda _sequence: True, Budget(10, -1.0, faults=2))
    assert (found, hunt.known) == ("no fault", {})


def test_shrinking_goes_on_after_the_tries_are_used_up() -> None:
    found, hunt = hunted(lambda sequence: len(sequence) > 1, Budget(6, 60, faults=4, seed=3))
    assert any(hunt.known.values())
    assert len(hunt.known) > 6
    assert found.count("fault.") == 2


def test_a_lab_that_cannot_be_healed_ends_the_hunt() -> None:
    played: list[str] = []

    def fails(sequence: Hits) -> bool:
        played.append(words(sequence))
        raise CheckFailed("west is not as it was")

    with pytest.raises(CheckFailed, match="west is not as it was"):
        hunted(fails)
    assert len(played) == 1


def test_a_sequence_that_cannot_be_played_is_passed_over_but_not_many_in_a_row() -> None:
    def odd(sequence: Hits) -> bool:
        if len(sequence) % 2:
            raise Unplayable("no pod to kill")
        return True

    found, hunt = hunted(odd)
    assert found.count("fault.") == 2
    assert hunt.unplayable > 0

    def never(_sequence: Hits) -> bool:
        raise Unplayable("no pod to kill")

    with pytest.raises(LabError, match="no pod to kill"):
        hunted(never)


def test_nothing_is_left_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hunted(lambda sequence: len(sequence) > 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("asked", [(0, "1m", 1, 0), (1, "1m", 0, 0), (1, "1m", 1, -1), (1, "soon", 1, 0)])
def test_a_budget_that_is_none_is_refused(asked: tuple[int, str, int, int]) -> None:
    with pytest.raises(UsageError):
        budget(*asked)
