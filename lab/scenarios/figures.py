"""The course of a run → the figures that its charts show. Pure: no clock, no I/O, no plotting library.

`plots` draws them. All times are seconds since the run began.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import percentile, shares
from lab.scenarios.course import Course, Event, Sample

COLUMNS = 120
"""Columns of a chart at most."""
_WIDTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds that one column may stand for."""
DOTS = 3000
"""Calls of one traffic that are drawn one by one; of more, only the first so many of those that failed."""


@dataclass(frozen=True)
class Bar:
    """One step. `lasting`: it was in force from begin to end; else it was done at `begin`."""

    words: str
    begin: float
    end: float
    lasting: bool


@dataclass(frozen=True)
class Column:
    """The calls that were sent in one stretch of time. None: no call to tell from."""

    begin: float
    calls: int
    success: float | None = None
    p50: float | None = None
    p99: float | None = None
    """Milliseconds, over calls that were answered or timed out."""
    errors: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    """Of the good answers, by cluster."""


@dataclass(frozen=True)
class Dot:
    """One call."""

    time: float
    latency: float
    """Milliseconds."""
    cluster: str
    error: str


@dataclass(frozen=True)
class Panel:
    """All about one traffic."""

    traffic: str
    columns: tuple[Column, ...]
    dots: tuple[Dot, ...]
    complete: bool
    """Whether every call has its dot."""
    total: Column
    """All calls of the run."""


@dataclass(frozen=True)
class Trace:
    """What a probe that sees numbers saw: (seconds, value), None where it had no answer."""

    probe: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True)
class Chart:
    """One run."""

    length: float
    width: float
    """Seconds per column."""
    bars: tuple[Bar, ...]
    panels: tuple[Panel, ...]
    traces: tuple[Trace, ...]
    clusters: tuple[str, ...]
    """Those that answered anything, by name: their order decides their colours."""


def chart(course: Course, first: Sequence[str] = ()) -> Chart:
    """The figures of one run; the traffic named `first` comes first, in that order."""
    length = course.end - course.begin
    width = next((one for one in _WIDTHS if length / one <= COLUMNS), _WIDTHS[-1])
    inside = {
        name: sorted(
            (one for one in records if course.begin <= one.sent < course.end), key=lambda one: one.sent
        )
        for name, records in sorted(
            course.calls.items(), key=lambda one: ([*first, one[0]].index(one[0]), one[0])
        )
    }
    return Chart(
        length,
        width,
        tuple(_bar(event, course) for event in course.events if not event.words.startswith("heal ")),
        tuple(_panel(name, records, course, width) for name, records in inside.items()),
        tuple(
            trace for name, taken in sorted(course.samples.items()) for trace in _trace(name, taken, course)
        ),
        tuple(sorted({one.cluster for records in inside.values() for one in records if one.cluster})),
    )


def span(event: Event, course: Course) -> tuple[float, float, bool]:
    """When a step began and ended, as Unix times, and whether it was in force meanwhile.

    A fault that was not healed lasts to the end of the run; a kill and a restart are over at once.
    """
    instant = event.words.startswith("fault.kill") or "--restart" in event.words
    if event.healing is not None or (event.words.startswith("fault.") and not instant):
        return event.began, event.healed or course.end, True
    return event.began, event.done, False


def _bar(event: Event, course: Course) -> Bar:
    begin, end, lasting = span(event, course)
    return Bar(event.words, begin - course.begin, end - course.begin, lasting)


def _panel(name: str, records: Sequence[Record], course: Course, width: float) -> Panel:
    # What is left at the end belongs to the last column, however little it is.
    stretches: list[list[Record]] = [[] for _ in range(max(1, int((course.end - course.begin) / width)))]
    for one in records:
        stretches[min(int((one.sent - course.begin) / width), len(stretches) - 1)].append(one)
    complete = len(records) <= DOTS
    dots = [one for one in records if complete or one.error][:DOTS]
    return Panel(
        name,
        tuple(_column(number * width, calls) for number, calls in enumerate(stretches)),
        tuple(Dot(one.sent - course.begin, one.latency_ms, one.cluster, one.error) for one in dots),
        complete,
        _column(0.0, records),
    )


def _column(begin: float, calls: Sequence[Record]) -> Column:
    if not calls:
        return Column(begin, 0)
    good = [one for one in calls if one.good]
    timed = sorted(one.latency_ms for one in calls if one.status or one.error == "timeout")
    return Column(
        begin,
        len(calls),
        len(good) / len(calls),
        percentile(timed, 0.5),
        percentile(timed, 0.99),
        dict(Counter(one.error for one in calls if one.error).most_common()),
        shares(one.cluster for one in good),
    )


def _trace(name: str, taken: Sequence[Sample], course: Course) -> list[Trace]:
    """None for a probe whose answers are no numbers."""
    during = [one for one in taken if course.begin <= one.time < course.end]
    if not any(isinstance(one.value, float) for one in during):
        return []
    points = [
        (one.time - course.begin, one.value if isinstance(one.value, float) else None) for one in during
    ]
    return [Trace(name, tuple(points))]
