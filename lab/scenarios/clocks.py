"""Brings what load generators recorded to the clock of this machine. Pure.

Clusters on this machine share its clock; those of engine `existing` have their own. `calls` asks each load
generator what time it is, and a difference that the way there and back cannot explain is taken out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lab.apps.loadgen.records import Record


@dataclass(frozen=True)
class Look:
    """One question for the time: when it was asked and answered here, and what was said; Unix times."""

    asked: float
    said: float
    answered: float

    @property
    def took(self) -> float:
        return self.answered - self.asked


@dataclass(frozen=True)
class Clock:
    """How far another clock is ahead of ours, and by how much that may be wrong; seconds."""

    ahead: float = 0.0
    error: float = 0.0

    def ours(self, record: Record) -> Record:
        """The record in our time."""
        return replace(record, due=record.due - self.ahead, done=record.done - self.ahead)


def clock(looks: Iterable[Look]) -> Clock:
    """What looks tell of a clock: the quickest tells most. One that may be ours is taken for it."""
    best = min(looks, key=lambda one: one.took)
    ahead, error = best.said - (best.asked + best.answered) / 2, best.took / 2
    return Clock(ahead, error) if abs(ahead) > error else Clock()
