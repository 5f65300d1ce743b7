"""Faults are desired state: whatever was healed when, what is there follows from the faults that stand."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.engines.protocol import EngineFault
from lab.faults.catalogue import ENGINE
from lab.faults.impair import to_repeat
from lab.faults.inject import actual, heal, inject
from lab.faults.model import Fault, Target
from lab.faults.strays import of_mesh
from tests.faults.world import World

PAIRS = (Target(("west",), ("east",)), Target(("east",), ("west",)), Target(("west",), ("east", "asia")))
IMPAIRMENTS = (
    {"delay_us": 50_000},
    {"loss_ppm": 1000},
    {"delay_us": 9000, "loss_ppm": 7},
    {"delay_us": 1, "one_way": 1},
)
WORKLOAD = Target(("west",), (), "shop", "front")
# A paused cluster or one without an API server refuses to be scaled, so those two hit another one.
ANY: st.SearchStrategy[tuple[str, Target, dict[str, int]]] = st.one_of(
    st.builds(lambda target: ("partition", target, {}), st.sampled_from(PAIRS)),
    st.builds(
        lambda target, asked: ("impair", target, asked), st.sampled_from(PAIRS), st.sampled_from(IMPAIRMENTS)
    ),
    st.sampled_from([("pause", Target(("east",)), {}), ("api", Target(("east", "asia")), {})]),
    st.builds(lambda count: ("scale", WORKLOAD, {"replicas": count}), st.integers(0, 3)),
    st.builds(lambda problem: ("certificate", WORKLOAD, {"problem": problem}), st.integers(0, 3)),
    st.sampled_from([("clock", Target(("west",)), {"skew_s": 7200}), ("dns", Target(("asia",)), {})]),
    st.builds(lambda status: ("http", WORKLOAD, {"status": status}), st.integers(500, 503)),
)


def fault(number: int, asked: tuple[str, Target, dict[str, int]]) -> Fault:
    kind, target, parameters = asked
    return Fault(f"{kind}-{number}", kind, target, float(number), parameters=parameters)  # type: ignore[arg-type]


def effective(world: World) -> object:
    """What packets, processes and Deployments suffer: of impairments on one path the later one counts."""
    last: dict[object, float] = {}
    for part in world.parts:
        last |= {(part.clusters, part.others, name): value for name, value in part.settings}
    others = {part for part in world.parts if part.kind != "impair"}
    return others, last, world.replicas, world.objects, world.flaws()


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY, min_size=1, max_size=6), st.data())
def test_what_is_there_follows_from_the_faults_that_stand(
    asked: list[tuple[str, Target, dict[str, int]]], data: st.DataObject
) -> None:
    made = [fault(number, one) for number, one in enumerate(asked, 1)]
    doomed = data.draw(st.lists(st.sampled_from(made), unique_by=lambda one: one.id))

    async def play(world: World, make: list[Fault], undo: list[Fault]) -> None:
        for one in make:
            await inject(world.site, one)
        for one in undo:
            await heal(world.site, world.site.ledger.read()[one.id])
        for one in world.site.ledger.read().values():
            assert await actual(world.site, one), one.id

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        healed, never_made = World(Path(one)), World(Path(other))
        asyncio.run(play(healed, made, doomed))
        asyncio.run(play(never_made, [one for one in made if one not in doomed], []))
        assert effective(healed) == effective(never_made)


def test_setting_loss_keeps_the_delay_that_another_fault_set(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, parameters in enumerate(IMPAIRMENTS[:2]):
        asyncio.run(inject(world.site, fault(number, ("impair", PAIRS[0], parameters))))
    settings_seen = {name for part in world.parts for name, _ in part.settings}
    assert settings_seen == {"delay", "loss"}


def part(delay: float) -> EngineFault:
    return EngineFault("impair", frozenset({"east"}), frozenset({"west"}), "", True, (("delay", delay),))


@pytest.mark.parametrize(
    ("found", "wanted", "again"),
    [([1, 2], [1, 2], []), ([2, 1], [1, 2], [2]), ([1, 2], [1, 2, 1], [1]), ([3, 1, 2], [1, 2], [])],
)
def test_only_impairments_that_lie_wrong_are_put_on_again(
    found: list[float], wanted: list[float], again: list[float]
) -> None:
    assert to_repeat([part(one) for one in found], [part(one) for one in wanted]) == [
        part(one) for one in again
    ]


def test_what_no_record_knows_is_found(tmp_path: Path) -> None:
    world = World(tmp_path)
    asyncio.run(inject(world.site, fault(1, ("partition", PAIRS[0], {}))))
    world.parts.append(EngineFault("pause", frozenset({"asia"})))
    recorded = world.site.ledger.read().values()
    assert asyncio.run(ENGINE.strays(world.site, recorded)) == {EngineFault("pause", frozenset({"asia"}))}


def test_what_was_lifted_behind_our_back_is_seen_to_be_missing(tmp_path: Path) -> None:
    world = World(tmp_path)
    made = asyncio.run(inject(world.site, fault(1, ("partition", PAIRS[2], {}))))
    world.parts.pop()
    assert asyncio.run(actual(world.site, made)) is False


def test_objects_that_no_record_knows_are_found_and_lifted_with_what_came_of_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, (kind, parameters) in enumerate((("http", {"status": 500}), ("certificate", {}))):
        asyncio.run(inject(world.site, fault(number, (kind, WORKLOAD, parameters))))
        world.site.ledger.drop(f"{kind}-{number}")
    lost = asyncio.run(of_mesh(world.site, ()))
    assert [str(one) for one in lost] == [
        "HTTPFault west/shop/http-0-front",
        "CertificateFault west/shop/certificate-1-front",
    ]
    for one in lost:
        asyncio.run(one.lift())
    assert world.found() == World(tmp_path).found()
