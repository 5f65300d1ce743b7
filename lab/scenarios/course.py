"""A run as it was: when each step happened, and every call that was made meanwhile. Pure.

All times are Unix times of this machine (`calls` brings those of others to its clock). A call is placed by
the moment it was really sent, as that decides whether a fault can have met it; see `precision`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.apps.loadgen.records import Record
from lab.topology.measures import Expectation

Calls = Mapping[str, Sequence[Record]]
"""Records by CLUSTER/TRAFFIC."""


@dataclass(frozen=True)
class Event:
    """One step: its action began, was done, and (a fault) its healing began and was done.

    A fault begins when its effect does: the work of its command before that is nobody's reaction time.
    """

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
        """The calls of the window, in the order in which they were sent."""
        inside = [
            one
            for one in records
            if any(
                one.sent < end and (one.done if self.touching else one.sent) >= begin
                for begin, end in self.spans
            )
        ]
        return sorted(inside, key=lambda one: one.sent)

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
    clocks: Mapping[str, float] = field(default_factory=dict)
    """By how much the times of a cluster's calls may be wrong, in seconds, where its clock is not ours."""

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
                (
                    event.done + skip if skip else event.began,
                    self.end if event.healing is None else event.healing,
                )
                for event in self.times(name)
            ]
            return Window(f"during {name}", tuple(spans), touching=not skip)
        begin, end, words = self.begin, self.end, []
        if name := expected.after:
            over = [event.done if event.healed is None else event.healed for event in self.times(name)]
            begin, words = over[-1] if over else self.end, [f"after {name}"]
        if name := expected.before:
            starts = [event.began for event in self.times(name)]
            end, words = starts[0] if starts else begin, [*words, f"before {name}"]
        return Window(", ".join(words) or "whole run", ((begin + skip, end),))
