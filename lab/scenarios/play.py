"""Carries out the steps of a scenario in time: what is done when, and what it took.

`lab.ops.run` calls `play` and hands over a Stage, which knows how to do each action. Faults with `for` are
healed meanwhile. Nothing is undone here: whoever calls heals what a broken-off run left.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from lab.base.concurrent import first, together
from lab.base.errors import CheckFailed
from lab.scenarios.course import Event, Waiting
from lab.topology.measures import When
from lab.topology.scenario import Scenario, Step

TAIL = 2.0
"""Seconds that a run without a length goes on after its last step."""
LOOK_EVERY = 0.2
"""Seconds between two looks at what a step waits for."""


@dataclass(frozen=True)
class InForce:
    """A fault that was made: its id, and the Unix time at which its effect began."""

    id: str
    since: float


class Stage(Protocol):
    """Does what steps say, and returns when it is done. Raises LabError when it cannot."""

    async def inject(self, step: Step) -> InForce:
        """Put a fault in force."""

    async def heal(self, fault_id: str) -> float:
        """Undo a fault; returns the Unix time at which it was seen gone."""

    async def act(self, step: Step) -> None:
        """Apply manifests or run a program."""

    async def unmet(self, when: When, since: float) -> str:
        """What does not hold since then; "" when all does."""

    async def wait(self, seconds: float) -> None:
        """Let time go by."""


@dataclass(frozen=True)
class Played:
    """What happened: Unix times of begin and end, the steps that were done, and what was waited for."""

    begin: float
    end: float
    events: tuple[Event, ...]
    waitings: tuple[Waiting, ...] = ()


class _Unmet(CheckFailed):
    """A condition did not come to hold in time."""


@dataclass
class _Play:
    stage: Stage
    say: Callable[[str, str], None]
    dice: Random
    began: float
    tasks: asyncio.TaskGroup
    events: dict[int, Event] = field(default_factory=dict)
    waitings: list[Waiting] = field(default_factory=list)
    standing: dict[int, str] = field(default_factory=dict)
    """Ids of faults in force, by the place of their event."""
    healers: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    """Those who heal faults with `for` when their time is over."""
    count: int = 0

    async def wait_until(self, due: float) -> None:
        if (left := due - time.time()) > 0:
            await self.stage.wait(left)

    async def sequence(self, steps: Sequence[Step]) -> None:
        """Do steps one after the other; one without `at` begins when the faults before it are healed."""
        before: set[int] = set()
        for step in steps:
            known = set(self.events)
            await self.in_time(step, before)
            before = set(self.events) - known
        await self.over(before)

    async def over(self, places: set[int]) -> None:
        """Wait until faults with `for` are healed."""
        if pending := [self.healers[place] for place in places if place in self.healers]:
            await asyncio.wait(pending)

    async def step(self, step: Step) -> None:
        if step.when:
            await self.wait_for(step, step.when)
        repeat = step.repeat
        for number in range(repeat.count if repeat else 1):
            known = set(self.events)
            if number and repeat:
                await self.stage.wait(repeat.pause + repeat.varies * self.dice.random())
            await self.once(step)
            if repeat:
                await self.over(set(self.events) - known)

    async def wait_for(self, step: Step, when: When) -> None:
        began = time.time()
        self.say("wait", step.name or step.words)
        while True:
            seen = await self.stage.unmet(when, began)
            now = time.time()
            if not seen or now - began >= when.within:
                break
            await self.stage.wait(LOOK_EVERY)
        waiting = Waiting(step.name or step.words, began, now, seen, excused=bool(step.otherwise))
        self.waitings.append(waiting)
        if seen:
            raise _Unmet(f"{waiting.name}: not within {when.within:g} s: {seen}")

    async def once(self, step: Step) -> None:
        place, self.count = self.count, self.count + 1
        self.say("step", step.words)
        event = Event(step.name or "", step.words, time.time(), 0.0)
        if step.groups:
            await self.group(step)
            ended = time.time()
            self.events[place] = replace(event, done=ended, healing=ended, healed=ended)
            return
        if step.heal:
            for one in sorted(self.standing, reverse=True):
                if step.heal in ("all", self.events[one].name):
                    await self.heal(one)
        elif step.fault:
            fault = await self.stage.inject(step)
            event = replace(event, began=max(event.began, fault.since))
            if step.lasts:
                self.standing[place] = fault.id
        elif step.apply or step.run:
            await self.stage.act(step)
        self.events[place] = replace(event, done=time.time())
        if step.hold is not None:
            self.healers[place] = self.tasks.create_task(self.heal_later(place, step.hold))

    async def group(self, step: Step) -> None:
        """Over when all inside is over, faults with `for` healed."""
        await self.sequence(step.steps)
        await together(*(self.sequence((one,)) for one in step.parallel))
        if step.any:
            await self.sequence((self.dice.choice(step.any),))

    async def heal_later(self, place: int, seconds: float) -> None:
        await self.stage.wait(seconds)
        await self.heal(place)

    async def heal(self, place: int) -> None:
        fault = self.standing.pop(place)
        healer = self.healers.get(place)
        if healer not in (None, asyncio.current_task()):
            healer.cancel()
        event = self.events[place]
        self.say("heal", event.words)
        healing = time.time()
        healed = await self.stage.heal(fault)
        self.events[place] = replace(event, healing=healing, healed=healed)

    async def all(self, steps: Sequence[Step]) -> None:
        """Do the outermost steps, up to one whose condition does not come to hold."""
        before: set[int] = set()
        for step in steps:
            known = set(self.events)
            try:
                await self.in_time(step, before)
            except _Unmet:
                await self.sequence(step.otherwise)
                return
            before = set(self.events) - known

    async def in_time(self, step: Step, before: set[int]) -> None:
        if step.at is None:
            await self.over(before)
            await self.stage.wait(step.after or 0.0)
        else:
            await self.wait_until(self.began + step.at)
        await self.step(step)


def _end(scenario: Scenario, began: float, done: float, *, unmet: bool) -> float:
    """When a run ends that has done its steps: long enough after them to see a failback that is in time."""
    if scenario.length is None or unmet:
        return done + TAIL
    awaited = [one.failback_within for one in scenario.expect if one.failback_within is not None]
    return max(began + scenario.length, done + max(awaited) + TAIL if awaited else 0.0)


async def play(
    scenario: Scenario, stage: Stage, say: Callable[[str, str], None], seed: int | None = None
) -> Played:
    """Carry out all steps. Ends early when what a step waits for does not come to hold."""
    try:
        async with asyncio.TaskGroup() as tasks:
            dice = Random(scenario.seed if seed is None else seed)
            running = _Play(stage, say, dice, time.time(), tasks)
            await running.all(scenario.steps)
            await running.over(set(running.healers))
            unmet = any(one.seen and not one.excused for one in running.waitings)
            await running.wait_until(_end(scenario, running.began, time.time(), unmet=unmet))
    except BaseExceptionGroup as errors:
        raise first(errors) from errors
    events = sorted(running.events.values(), key=lambda event: event.began)
    return Played(running.began, time.time(), tuple(events), tuple(running.waitings))
