"""How a verdict is shown in a terminal, as a table with a timeline, and to CI, as JUnit XML. Pure."""

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.scenarios.course import Course, Event
from lab.scenarios.figures import span
from lab.scenarios.outcome import Outcome, Word
from lab.scenarios.precision import remarks, worst
from lab.scenarios.verdict import Spread, Verdict, figure

MARKS: Mapping[Word, str] = {"held": "green", "failed": "bold red", "inconclusive": "yellow"}
"""How the verdict on a measure is coloured."""
WIDTH = 100
"""Columns of the timeline at most: longer runs have several seconds in each."""
_SPREAD = ("HELD", "MIN", "MEDIAN", "MAX")
"""Columns that only several rounds have."""


def _surprise(verdict: Verdict) -> str:
    """What a verdict that is known beforehand has to add."""
    if verdict.expected is None:
        return ""
    return ", as expected" if verdict.expected == verdict.word else f", expected: {verdict.expected}"


def render(verdict: Verdict) -> RenderableType:
    """The outcomes, over several rounds as a spread, and the timeline of the first round that failed, or of
    the last."""
    many = len(verdict.rounds) > 1
    table = Table(box=None, pad_edge=False)
    for column in ("", "TRAFFIC", "MEASURE", "WINDOW", "WANTED", *(_SPREAD if many else ()), "SEEN"):
        table.add_column(column, overflow="fold", justify="right" if column in _SPREAD else "left")
    for spread in verdict.spreads():
        one, seen = spread.first, _spread(spread) if many else spread.told
        table.add_row(
            mark(spread.word), *map(Text, (one.subject, one.measure, one.window, one.wanted, *seen))
        )
    failed = [number for number, one in enumerate(verdict.rounds, 1) if not one.ok]
    number = (failed or [len(verdict.rounds)])[0]
    rounds = f" (held in {verdict.held} of {len(verdict.rounds)} rounds)" if many else ""
    head = Text(f"{verdict.title or verdict.lab}: {verdict.word}{_surprise(verdict)}{rounds}", "bold")
    lines = [f"round {number}", *timeline(verdict.rounds[number - 1].course)][0 if many else 1 :]
    trust = remarks(worst(one.precision for one in verdict.rounds))
    return Group(head, "", table, "", *map(Text, [*lines, "", *trust]))


def mark(word: Word) -> Text:
    """A verdict, with what did not hold in capitals."""
    return Text(word if word == "held" else word.upper(), MARKS[word])


def _spread(spread: Spread) -> tuple[str, ...]:
    """The cells of a measure over several rounds: its figures, and what has none in words."""
    held = f"{spread.held}/{len(spread.outcomes)}"
    doubts = [one.told for one in spread.outcomes if one.doubt]
    if spread.figures is None:
        return held, "", "", "", " · ".join(dict.fromkeys(spread.told))
    return held, *(figure(one, spread.first.unit) for one in spread.figures), " · ".join(doubts)


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
    began, end, _ = span(event, course)
    first = int((began - course.begin) // step)
    last = max(first, min(columns - 1, int((end - course.begin) // step)))
    return " " * first + ("━" * (last - first + 1) if last > first else "╋")


def _success(course: Course, name: str, columns: int, step: int) -> str:
    made, good = [0] * columns, [0] * columns
    for record in course.calls[name]:
        column = int((record.sent - course.begin) // step)
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
