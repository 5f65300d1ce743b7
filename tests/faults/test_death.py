"""Whoever dies at whatever step of making or healing a fault, the next command finds it and heals it.

Every step is tried: the real ledger and actuators on a lab in memory. `tests/lab/test_fault_deaths.py` kills
real processes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from lab.base.errors import LabError
from lab.faults import certificates, enginemade, workloads
from lab.faults.inject import heal, inject, recover
from lab.faults.model import Fault, Target
from tests.faults.world import Death, Died, Victim, World

BOTH = Target(("west", "east"))
BETWEEN = Target(("west",), ("east", "asia"))
FRONT = Target(("west",), (), "shop", "front")
FAULTS = {
    "partition": Fault("partition-1", "partition", BETWEEN, 1.0),
    "impair": Fault("impair-1", "impair", BETWEEN, 1.0, parameters={"delay_us": 50_000}),
    "pause": Fault("pause-1", "pause", BOTH, 1.0),
    "api": Fault("api-1", "api", BOTH, 1.0),
    "scale": Fault("scale-1", "scale", FRONT, 1.0, parameters={"replicas": 0}),
    "node": Fault("node-1", "node", BOTH, 1.0),
    "dns": Fault("dns-1", "dns", BOTH, 1.0, parameters={"servfail": 1}),
    "http": Fault("http-1", "http", FRONT, 1.0, parameters={"status": 503}),
    "certificate": Fault("certificate-1", "certificate", FRONT, 1.0),
    "clock": Fault("clock-1", "clock", Target(("west",)), 1.0, parameters={"skew_s": 7200}),
}
OTHERS = (
    Fault("partition-9", "partition", Target(("west",), ("east",)), 0.1),
    Fault("impair-9", "impair", Target(("west",), ("east",)), 0.2, parameters={"loss_ppm": 1000}),
    Fault("scale-9", "scale", FRONT, 0.3, parameters={"replicas": 1}),
    Fault("http-9", "http", FRONT, 0.4, parameters={"status": 500}),
    Fault("certificate-9", "certificate", FRONT, 0.5, parameters={"problem": 2}),
)
MOST_STEPS = 60


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes time in memory: what is not there at once never comes."""
    monkeypatch.setattr(enginemade, "API_BACK_WITHIN", 0.02)
    monkeypatch.setattr(workloads, "GONE_WITHIN", 0.02)
    monkeypatch.setattr(workloads, "BACK_WITHIN", 0.02)
    monkeypatch.setattr(certificates, "RENEWED_WITHIN", 0.02)


def attempt(work: Awaitable[object]) -> None:
    """A command that may die or fail."""

    async def run() -> None:
        await work

    try:
        asyncio.run(run())
    except (Died, LabError):
        return


def next_command(world: World) -> None:
    """What `up` and every fault verb do first; `up` also brings back a lab that has ended."""
    world.death = Death()
    if not world.is_up:
        world.site.ledger.condemn()
        world.is_up = True
    asyncio.run(recover(world.site))


def deaths(make: Callable[[], World], work: Callable[[World], Awaitable[object]]) -> Iterator[World]:
    """One world after each possible death, until the work is done before death comes."""
    for victim in get_args(Victim):
        for step in range(1, MOST_STEPS):
            world = make()
            world.death = Death(victim, step)
            attempt(work(world))
            if not world.death.has_come:
                break
            yield world
        else:
            pytest.fail(f"{victim}: more than {MOST_STEPS} steps")


def fresh(folder: Path) -> World:
    for file in folder.iterdir():
        file.unlink()
    return World(folder)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_death_at_any_step_of_making_a_fault_leaves_what_the_next_command_heals(
    tmp_path: Path, fault: Fault
) -> None:
    clean = World(tmp_path).found()
    count = 0
    for world in deaths(lambda: fresh(tmp_path), lambda world: inject(world.site, fault)):
        count += 1
        next_command(world)
        known = world.site.ledger.read()
        if not known:
            assert world.found() == clean, world.death
        else:  # the command was done but for its last word; the fault stands as recorded
            assert [one.state for one in known.values()] == ["active"], world.death
            asyncio.run(heal(world.site, known[fault.id]))
            assert world.found() == clean, world.death
    assert count > 4 * len(get_args(Victim)) - 4


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_death_at_any_step_of_healing_leaves_what_the_next_command_heals(
    tmp_path: Path, fault: Fault
) -> None:
    clean = World(tmp_path).found()

    def standing() -> World:
        world = fresh(tmp_path)
        asyncio.run(inject(world.site, fault))
        return world

    async def healing(world: World) -> None:
        await heal(world.site, world.site.ledger.read()[fault.id])

    count = 0
    for world in deaths(standing, healing):
        count += 1
        next_command(world)
        for left in world.site.ledger.read().values():  # it died before it said so: nothing was lifted
            asyncio.run(heal(world.site, left))
        assert world.site.ledger.read() == {}, world.death
        assert world.found() == clean, world.death
    assert count > 4


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("victim", ["command before", "command after"])
def test_a_command_that_dies_leaves_the_other_faults_as_they_were(
    tmp_path: Path, fault: Fault, victim: Victim
) -> None:
    def others() -> World:
        world = fresh(tmp_path)
        for other in OTHERS:
            asyncio.run(inject(world.site, other))
        return world

    before = others().found()
    for step in range(1, MOST_STEPS):
        world = others()
        world.death = Death(victim, step)
        attempt(inject(world.site, replace(fault, since=2.0)))
        has_come = world.death.has_come
        next_command(world)
        if left := world.site.ledger.read().get(fault.id):
            asyncio.run(heal(world.site, left))
        assert world.found() == before, step
        if not has_come:
            return
    pytest.fail("it never ended")


def test_what_has_outlived_its_lease_is_healed_and_what_has_not_stands(tmp_path: Path) -> None:
    world = World(tmp_path)
    asyncio.run(inject(world.site, replace(FAULTS["pause"], expires=1.0)))
    asyncio.run(inject(world.site, replace(FAULTS["partition"], expires=1e12)))
    asyncio.run(recover(world.site))
    assert list(world.site.ledger.read()) == ["partition-1"]


def test_a_fault_that_another_keeps_from_healing_is_healed_after_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    for fault in (FAULTS["scale"], FAULTS["pause"]):
        asyncio.run(inject(world.site, fault))
    scaled = world.site.ledger.read()["scale-1"]
    world.site.ledger.drop(scaled.id)
    world.site.ledger.put(scaled)  # now it is the newest, and tried first
    world.site.ledger.condemn()
    asyncio.run(recover(world.site))
    assert world.site.ledger.read() == {}
    assert world.found() == World(tmp_path).found()


def test_a_lease_begins_when_the_fault_is_in_force(tmp_path: Path) -> None:
    asked = replace(FAULTS["scale"], since=100.0, expires=130.0)
    made = asyncio.run(inject(World(tmp_path).site, asked))
    assert made.expires is not None
    assert 28 < made.expires - time.time() <= 30


def test_a_fault_is_in_force_since_its_effect_began_however_long_the_ledger_took(tmp_path: Path) -> None:
    world = World(tmp_path)
    asked = time.time()
    made = asyncio.run(inject(world.site, replace(FAULTS["scale"], since=asked)))
    assert asked < made.since <= time.time()
    assert world.site.ledger.read()["scale-1"].since == made.since
