"""A verdict as one HTML page that needs nothing else: no network, no other file. Pure.

`lab.ops.reports` calls it when `--html` asks for a page. Templates, style and script are in `page/`; the
charts are drawn by plotly.js, which the page carries.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from lab.scenarios.course import Course, Event
from lab.scenarios.figures import chart
from lab.scenarios.judge import Outcome
from lab.scenarios.plots import Plot, colours, plots
from lab.scenarios.report import Round, Verdict, by_measure
from lab.topology.grammar import format_percent


@dataclass(frozen=True)
class About:
    """Where a verdict comes from: the command that gives it again, and (name, value) of what it ran on."""

    command: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Row:
    """One measure in all rounds."""

    ok: bool
    first: Outcome
    seen: tuple[tuple[str, bool], ...]
    """What was seen and whether it held, by round."""
    spread: str


@dataclass(frozen=True)
class Timeline:
    """The charts and steps of one round."""

    number: int
    ok: bool
    seconds: float
    plots: Sequence[Plot]
    colours: dict[str, str]
    steps: Sequence[tuple[str, str, str, str]]
    """When it began, what was done, when it was in force, and when its healing was done."""


@dataclass(frozen=True)
class Section:
    """All about one verdict."""

    verdict: Verdict
    rows: Sequence[Row]
    timelines: Sequence[Timeline]

    @property
    def held(self) -> int:
        """How many measures held in every round."""
        return sum(row.ok for row in self.rows)


def run_page(verdict: Verdict, about: About) -> str:
    """The report of one run."""
    return render("run.html", section=section(verdict), about=about)


def render(template: str, **values: object) -> str:
    """A page from a template, with all that it needs inside."""
    pages = Environment(
        loader=PackageLoader("lab.scenarios", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(template).render(plotly=get_plotlyjs(), **values)


def section(verdict: Verdict) -> Section:
    """What a page shows of a verdict."""
    rows = [_row(outcomes) for outcomes in by_measure(verdict.rounds)]
    return Section(verdict, rows, [_timeline(number, one) for number, one in enumerate(verdict.rounds, 1)])


def _row(outcomes: Sequence[Outcome]) -> Row:
    seen = tuple((one.seen, one.ok) for one in outcomes)
    return Row(all(ok for _, ok in seen), outcomes[0], seen, spread(outcomes))


def spread(outcomes: Sequence[Outcome]) -> str:
    """Least, middle and greatest of the figures of several rounds; "" for one round or no figures."""
    values = [one.value for one in outcomes if one.value is not None]
    if len(values) < 2:
        return ""
    shown = [_figure(one, outcomes[0].unit) for one in (min(values), statistics.median(values), max(values))]
    return shown[0] if len(set(shown)) == 1 else f"{shown[1]} ({shown[0]} to {shown[2]})"


def _figure(value: float, unit: str) -> str:
    if unit == "share":
        return format_percent(round(value, 4))
    if unit == "s":
        return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:g}"


def _timeline(number: int, one: Round) -> Timeline:
    figures = chart(one.course)
    return Timeline(
        number,
        one.ok,
        figures.length,
        plots(figures),
        colours(figures),
        [_step(event, one.course) for event in one.course.events],
    )


def _step(event: Event, course: Course) -> tuple[str, str, str, str]:
    def told(time: float | None) -> str:
        return "" if time is None else f"{time - course.begin:.2f} s"

    return told(event.began), event.words, told(event.done), told(event.healed)
