"""A run as it was: when each step happened, and every call that was made meanwhile. Pure.

All times are Unix times of this machine, which the load generators share. A call is placed by the moment
its schedule wanted it sent, so figures resolve to the generator's period (50 ms at 20/s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.apps.loadgen.records import Record
from lab.topology.scenario import Expectation

Calls = Mapping[str, Sequence[Record]]
"""Records by CLUSTER/TRAFFIC."""


@dataclass(frozen=True)
class Event:
    """One step: its action began, was done, and (a fault) its healing began and was done."""

    name: str
    words: str
    began: float
    done: float
    healing: float | None = None
    healed: float | None = None


@dataclass(frozen=True)
class Window:
    """A part of a run. `touching`: calls that were under way at its edges count, too."""

    words: str
    begin: float
    end: float
    touching: bool = False

    def of(self, records: Sequence[Record]) -> list[Record]:
        """The calls of the window, in the order in which they were due."""
        inside = [
            one
            for one in records
            if one.due < self.end and (one.done if self.touching else one.due) >= self.begin
        ]
        return sorted(inside, key=lambda one: one.due)


@dataclass(frozen=True)
class Course:
    """One run from its begin to its end."""

    begin: float
    end: float
    events: tuple[Event, ...]
    calls: Calls

    def event(self, name: str) -> Event:
        return next(event for event in self.events if event.name == name)

    def window(self, expected: Expectation) -> Window:
        """The window of an expectation.

        A fault's ends where its healing begins: what healing itself does belongs to the whole run only.
        """
        skip = expected.skip
        if expected.during:
            event = self.event(expected.during)
            end = self.end if event.healing is None else event.healing
            return Window(f"during {event.name}", event.began + skip, end, touching=not skip)
        if expected.before:
            event = self.event(expected.before)
            return Window(f"before {event.name}", self.begin + skip, event.began)
        if expected.after:
            event = self.event(expected.after)
            begin = event.done if event.healed is None else event.healed
            return Window(f"after {event.name}", begin + skip, self.end)
        return Window("whole run", self.begin + skip, self.end)
