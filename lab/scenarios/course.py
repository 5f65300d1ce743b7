"""A run as it was: when each step happened, and every call that was made meanwhile. Pure.

All times are Unix times of this machine, which the load generators share. A call is placed by the moment
its schedule wanted it sent, so figures resolve to the generator's period (50 ms at 20/s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.apps.loadgen.records import Record
from lab.topology.measures import Expectation

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
class Waiting:
    """What a step waited for, from when to when. `seen` says what did not hold at the end, "" if all did."""

    name: str
    began: float
    ended: float
    seen: str
    excused: bool = False
    """The step says what to do otherwise."""


@dataclass(frozen=True)
class Sample:
    """One look of a probe: when the answer was there, and what it was, or why there was none."""

    time: float
    value: float | str | None
    error: str = ""


Span = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """Parts of a run. `touching`: calls that were under way at its edges count, too."""

    words: str
    spans: tuple[Span, ...]
    touching: bool = False

    def of(self, records: Sequence[Record]) -> list[Record]:
        """The calls of the window, in the order in which they were due."""
        inside = [
            one
            for one in records
            if any(
                one.due < end and (one.done if self.touching else one.due) >= begin
                for begin, end in self.spans
            )
        ]
        return sorted(inside, key=lambda one: one.due)

    def samples(self, taken: Sequence[Sample]) -> list[Sample]:
        """The looks of a probe in the window."""
        return [one for one in taken if any(begin <= one.time < end for begin, end in self.spans)]


@dataclass(frozen=True)
class Course:
    """One run from its begin to its end."""

    begin: float
    end: float
    events: tuple[Event, ...]
    calls: Calls
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    """Values of probes by name, oldest first; they begin before the run."""
    waitings: tuple[Waiting, ...] = ()
    protocols: Mapping[str, str] = field(default_factory=dict)
    """http, grpc or tcp, by CLUSTER/TRAFFIC."""
    seed: int = 0

    def times(self, name: str) -> list[Event]:
        """Each time that the step of this name was done."""
        return [event for event in self.events if event.name == name]

    def window(self, expected: Expectation) -> Window:
        """The window of an expectation; one without spans when its step was not done.

        A fault's ends where its healing begins: what healing itself does belongs to the whole run only.
        """
        skip = expected.skip
        if name := expected.during:
            spans = [
                (event.began + skip, self.end if event.healing is None else event.healing)
                for event in self.times(name)
            ]
            return Window(f"during {name}", tuple(spans), touching=not skip)
        if name := expected.before:
            spans = [(self.begin + skip, event.began) for event in self.times(name)[:1]]
            return Window(f"before {name}", tuple(spans))
        if name := expected.after:
            ends = [event.done if event.healed is None else event.healed for event in self.times(name)]
            return Window(f"after {name}", tuple((end + skip, self.end) for end in ends[-1:]))
        return Window("whole run", ((self.begin + skip, self.end),))
