"""Carries out the steps of a scenario in time: what is done when, and what it took.

`lab.ops.run` calls `play` and hands over a Stage, which knows how to do each action. One thing is done at
a time, in the order of the file; a fault with `for` is healed in between. Nothing is undone here: whoever
calls heals what a broken-off run left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from lab.scenarios.course import Event
from lab.topology.scenario import Scenario, Step

TAIL = 2.0
"""Seconds that a run without a length goes on after its last step."""


class Stage(Protocol):
    """Does what steps say, and returns when it is done. Raises LabError when it cannot."""

    def inject(self, step: Step) -> str:
        """Put a fault in force; returns its id."""

    def heal(self, fault_id: str) -> None:
        """Undo a fault."""

    def act(self, step: Step) -> None:
        """Apply manifests or run a program."""

    def wait(self, seconds: float) -> None:
        """Let time go by."""


@dataclass
class _Play:
    stage: Stage
    say: Callable[[str, str], None]
    began: float
    events: list[Event] = field(default_factory=list)
    standing: dict[int, str] = field(default_factory=dict)
    """Ids of faults in force, by the place of their event."""
    ends: dict[int, float] = field(default_factory=dict)
    """When faults with `for` are to be healed."""

    def wait_until(self, due: float) -> None:
        """Let time go by; faults whose time is over are healed on the way."""
        while self.ends and min(self.ends.values()) <= due:
            place = min(self.ends, key=lambda one: self.ends[one])
            self.pause_until(self.ends.pop(place))
            self.heal(place)
        self.pause_until(due)

    def pause_until(self, due: float) -> None:
        if (left := due - time.time()) > 0:
            self.stage.wait(left)

    def heal(self, place: int) -> None:
        event, fault = self.events[place], self.standing.pop(place)
        self.ends.pop(place, None)
        self.say("heal", event.words)
        healing = time.time()
        self.stage.heal(fault)
        self.events[place] = replace(event, healing=healing, healed=time.time())

    def carry_out(self, step: Step) -> None:
        self.say("step", step.words)
        began = time.time()
        if step.heal:
            for place in reversed(list(self.standing)):
                if step.heal in ("all", self.events[place].name):
                    self.heal(place)
        elif step.fault:
            fault = self.stage.inject(step)
            if step.lasts:
                self.standing[len(self.events)] = fault
        else:
            self.stage.act(step)
        if step.hold is not None:
            self.ends[len(self.events)] = time.time() + step.hold
        self.events.append(Event(step.name or "", step.words, began, time.time()))


def play(
    scenario: Scenario, stage: Stage, say: Callable[[str, str], None]
) -> tuple[float, float, tuple[Event, ...]]:
    """Carry out all steps; returns when the run began and ended, and what happened."""
    running = _Play(stage, say, time.time())
    for step in scenario.steps:
        if step.at is None:
            running.wait_until(running.ends.get(len(running.events) - 1, 0.0))
            running.wait_until(time.time() + (step.after or 0.0))
        else:
            running.wait_until(running.began + step.at)
        running.carry_out(step)
    if running.ends:
        running.wait_until(max(running.ends.values()))
    length = scenario.length
    running.wait_until(time.time() + TAIL if length is None else running.began + length)
    return running.began, time.time(), tuple(running.events)
