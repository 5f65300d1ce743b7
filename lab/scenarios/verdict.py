"""The rounds of a scenario and what came of them, as data for programs. Pure.

`lab.ops.run` makes a Verdict; `report` shows it in a terminal and to CI, `pages` in a browser.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.scenarios.course import Course, Event
from lab.scenarios.outcome import Outcome, Word, word
from lab.scenarios.precision import Precision, precision
from lab.topology.grammar import format_percent


@dataclass(frozen=True)
class Round:
    """One run of a scenario and its outcomes."""

    course: Course
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def word(self) -> Word:
        return word(self.outcomes)

    @property
    def precision(self) -> dict[str, Precision]:
        """How the load of each traffic was really sent."""
        return precision(self.course)


@dataclass(frozen=True)
class Spread:
    """One measure in all rounds in which it was taken."""

    outcomes: Sequence[Outcome]

    @property
    def first(self) -> Outcome:
        """What was measured; all of them say the same."""
        return self.outcomes[0]

    @property
    def held(self) -> int:
        """In how many rounds it held."""
        return sum(one.ok for one in self.outcomes)

    @property
    def word(self) -> Word:
        return word(self.outcomes)

    @property
    def told(self) -> tuple[str, ...]:
        """What was seen in each round; once, when it was the same in all."""
        every = tuple(one.told for one in self.outcomes)
        return every[:1] if len(set(every)) == 1 else every

    @property
    def figures(self) -> tuple[float, float, float] | None:
        """Least, median and greatest; None for what has no figure, such as an identity."""
        values = [one.value for one in self.outcomes if one.value is not None]
        return (min(values), statistics.median(values), max(values)) if values else None

    def to_json(self) -> dict[str, Any]:
        least, middle, greatest = self.figures or (None, None, None)
        what = {name: getattr(self.first, name) for name in ("subject", "measure", "window", "wanted")}
        counts = {"rounds": len(self.outcomes), "held": self.held}
        return {**what, **counts, "min": least, "median": middle, "max": greatest, "unit": self.first.unit}


@dataclass(frozen=True)
class Verdict:
    """The rounds of one scenario on one lab."""

    lab: str
    title: str
    rounds: tuple[Round, ...]
    expected: str | None = None
    """The verdict that the scenario is known to give, if it says so."""
    command: str = ""
    """What gives this verdict again."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What it came about on, by name; what could not be found out is left out."""

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.rounds)

    @property
    def word(self) -> Word:
        return word(outcome for one in self.rounds for outcome in one.outcomes)

    @property
    def held(self) -> int:
        """In how many rounds all held."""
        return sum(one.ok for one in self.rounds)

    def spreads(self) -> list[Spread]:
        """Every measure over all rounds, in the order of the file. A wait may be left out of some."""
        found: dict[tuple[str, str, str, str], list[Outcome]] = {}
        for one in self.rounds:
            for outcome in one.outcomes:
                key = (outcome.subject, outcome.measure, outcome.window, outcome.wanted)
                found.setdefault(key, []).append(outcome)
        return [Spread(outcomes) for outcomes in found.values()]

    def to_json(self) -> dict[str, Any]:
        return {
            "lab": self.lab,
            "title": self.title,
            "verdict": self.word,
            "expected": self.expected,
            "command": self.command,
            "versions": dict(self.versions),
            "spread": [one.to_json() for one in self.spreads()],
            "rounds": [_round_json(one) for one in self.rounds],
        }


def figure(value: float, unit: str) -> str:
    """A figure of an outcome in words; `unit` is the outcome's."""
    if unit == "share":
        return format_percent(round(value, 5))
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:g}"


def _round_json(one: Round) -> dict[str, Any]:
    begin = one.course.begin
    return {
        "verdict": one.word,
        "seconds": round(one.course.end - begin, 3),
        "events": [_event_json(event, begin) for event in one.course.events],
        "expectations": [asdict(outcome) for outcome in one.outcomes],
        "seed": one.course.seed,
        "precision": {name: seen.to_json() for name, seen in one.precision.items()},
        "waits": [
            {
                "name": waiting.name,
                "began": round(waiting.began - begin, 3),
                "ended": round(waiting.ended - begin, 3),
                "seen": waiting.seen,
            }
            for waiting in one.course.waitings
        ],
        "samples": {
            name: [
                {"time": round(sample.time - begin, 3), "value": sample.value, "error": sample.error}
                for sample in taken
            ]
            for name, taken in one.course.samples.items()
        },
    }


def _event_json(event: Event, begin: float) -> dict[str, Any]:
    times = {"began": event.began, "done": event.done, "healing": event.healing, "healed": event.healed}
    since = {name: None if time is None else round(time - begin, 3) for name, time in times.items()}
    return {"name": event.name, "words": event.words, **since}
