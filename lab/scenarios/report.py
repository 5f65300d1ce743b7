"""How a verdict is shown: a table with a timeline for people, data for programs, JUnit XML for CI. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.scenarios.course import Course, Event
from lab.scenarios.outcome import Outcome, Word, word
from lab.scenarios.precision import Precision, precision, remarks, worst

MARKS: Mapping[Word, str] = {"held": "green", "failed": "bold red", "inconclusive": "yellow"}
"""How the verdict on a measure is coloured."""
WIDTH = 100
"""Columns of the timeline at most: longer runs have several seconds in each."""


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
class Verdict:
    """The rounds of one scenario on one lab."""

    lab: str
    title: str
    rounds: tuple[Round, ...]
    expected: str | None = None
    """The verdict that the scenario is known to give, if it says so."""

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.rounds)

    @property
    def word(self) -> Word:
        return word(outcome for one in self.rounds for outcome in one.outcomes)

    def to_json(self) -> dict[str, Any]:
        return {
            "lab": self.lab,
            "title": self.title,
            "verdict": self.word,
            "expected": self.expected,
            "rounds": [_round_json(one) for one in self.rounds],
        }


def _surprise(verdict: Verdict) -> str:
    """What a verdict that is known beforehand has to add."""
    if verdict.expected is None:
        return ""
    return ", as expected" if verdict.expected == verdict.word else f", expected: {verdict.expected}"


def _round_json(one: Round) -> dict[str, Any]:
    begin = one.course.begin
    return {
        "verdict": one.word,
        "seconds": round(one.course.end - begin, 3),
        "events": [
            {
                "name": event.name,
                "words": event.words,
                **{
                    key: None if value is None else round(value - begin, 3)
                    for key, value in (
                        ("began", event.began),
                        ("done", event.done),
                        ("healing", event.healing),
                        ("healed", event.healed),
                    )
                },
            }
            for event in one.course.events
        ],
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


def render(verdict: Verdict) -> RenderableType:
    """The outcomes of all rounds side by side, and the timeline of the last round."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "TRAFFIC", "MEASURE", "WINDOW", "WANTED", "SEEN"):
        table.add_column(column, overflow="fold")
    for outcomes in _by_measure(verdict.rounds):
        first, found = outcomes[0], word(outcomes)
        seen = " · ".join(dict.fromkeys(outcome.told for outcome in outcomes))
        mark = Text(found if found == "held" else found.upper(), MARKS[found])
        table.add_row(mark, *map(Text, (first.subject, first.measure, first.window, first.wanted, seen)))
    held = sum(one.ok for one in verdict.rounds)
    many = len(verdict.rounds) > 1
    words = f"{verdict.title or verdict.lab}: {verdict.word}{_surprise(verdict)}"
    head = Text(words + (f" (held in {held} of {len(verdict.rounds)} rounds)" if many else ""), "bold")
    trust = remarks(worst(one.precision for one in verdict.rounds))
    return Group(head, "", table, "", *map(Text, [*timeline(verdict.rounds[-1].course), "", *trust]))


def _by_measure(rounds: Sequence[Round]) -> list[list[Outcome]]:
    """The outcomes of the same measure in every round in which it was taken: a wait may be left out."""
    found: dict[tuple[str, str, str, str], list[Outcome]] = {}
    for one in rounds:
        for outcome in one.outcomes:
            key = (outcome.subject, outcome.measure, outcome.window, outcome.wanted)
            found.setdefault(key, []).append(outcome)
    return list(found.values())


def timeline(course: Course) -> list[str]:
    """A line for each fault that says when it was in force, and one for each traffic's success."""
    length = course.end - course.begin
    step = max(1, math.ceil(length / WIDTH))
    columns = max(1, math.ceil(length / step))
    rows = [(event.words, _bar(event, course, columns, step)) for event in course.events]
    rows += [(name, _success(course, name, columns, step)) for name in sorted(course.calls)]
    wide = max((len(name) for name, _ in rows), default=0)
    scale = "".join(f"{column * step:<10}" for column in range(0, columns, 10))
    return [*(f"{name:{wide}} {cells}" for name, cells in rows), f"{'seconds':{wide}} {scale.rstrip()}"]


def _bar(event: Event, course: Course, columns: int, step: int) -> str:
    lasting = event.healing is not None or event.words.startswith("fault.")
    end = (event.healed or course.end) if lasting and "fault.kill" not in event.words else event.done
    first = int((event.began - course.begin) // step)
    last = max(first, min(columns - 1, int((end - course.begin) // step)))
    return " " * first + ("━" * (last - first + 1) if last > first else "╋")


def _success(course: Course, name: str, columns: int, step: int) -> str:
    made, good = [0] * columns, [0] * columns
    for record in course.calls[name]:
        column = int((record.due - course.begin) // step)
        if 0 <= column < columns:
            made[column] += 1
            good[column] += record.good
    return "".join(_cell(right, every) for right, every in zip(good, made, strict=True))


def _cell(good: int, made: int) -> str:
    if not made:
        return " "
    if not good:
        return "x"
    return "█" if good == made else "▁▂▃▄▅▆▇"[good * 7 // made]


def junit(verdict: Verdict) -> str:
    """One test case per measure and round."""
    cases = [(number, outcome) for number, one in enumerate(verdict.rounds, 1) for outcome in one.outcomes]
    seconds = sum(one.course.end - one.course.begin for one in verdict.rounds)
    suite = ElementTree.Element(
        "testsuite",
        name=verdict.lab,
        tests=str(len(cases)),
        failures=str(sum(not outcome.ok and not outcome.doubt for _, outcome in cases)),
        errors=str(sum(bool(outcome.doubt) for _, outcome in cases)),
        time=f"{seconds:.3f}",
    )
    for number, outcome in cases:
        name = f"{outcome.measure} {outcome.wanted}, {outcome.window}"
        name += f", round {number}" if len(verdict.rounds) > 1 else ""
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{verdict.lab}.{outcome.subject}", name=name
        )
        if not outcome.ok:
            text = f"wanted {outcome.wanted}, seen {outcome.told}"
            ElementTree.SubElement(case, "error" if outcome.doubt else "failure", message=text)
    return _xml(suite)


def _xml(suite: ElementTree.Element) -> str:
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, "unicode") + "\n"


def problems(outcomes: Sequence[Outcome]) -> str:
    """What does not hold, a line each."""
    wrong = [outcome for outcome in outcomes if not outcome.ok]
    return "".join(f"\n  {one.subject}: {one.measure} is {one.seen}; wanted: {one.wanted}" for one in wrong)
