"""A verdict as one HTML page that needs nothing else: no network, no other file. Pure.

`lab.ops.run` calls it when `--html` asks for a page. Templates, style and script are in `page/`; the
charts are drawn by plotly.js, which the page carries.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from lab.scenarios.course import Course, Event
from lab.scenarios.figures import chart
from lab.scenarios.grid import Grid, mark
from lab.scenarios.outcome import Word
from lab.scenarios.plots import Plot, colours, plots
from lab.scenarios.precision import remarks, worst
from lab.scenarios.verdict import Round, Spread, Verdict, figure


@dataclass(frozen=True)
class Timeline:
    """The charts and steps of one round."""

    number: int
    word: Word
    seconds: float
    plots: Sequence[Plot]
    colours: dict[str, str]
    steps: Sequence[tuple[str, str, str, str]]
    """When it began, what was done, when it was in force, and when its healing was done."""


@dataclass(frozen=True)
class Section:
    """All about one verdict."""

    verdict: Verdict
    rows: Sequence[Spread]
    timelines: Sequence[Timeline]
    remarks: Sequence[str]
    """How far its times can be trusted."""

    @property
    def held(self) -> int:
        """How many measures held in every round."""
        return sum(row.word == "held" for row in self.rows)


def run_page(verdict: Verdict) -> str:
    """The report of one run."""
    return render("run.html", section=section(verdict))


def matrix_page(grid: Grid) -> str:
    """The grid of a matrix, and under it the report of each of its cells."""
    sections = {one.cell.way: section(one.verdict) for one in grid.results if one.verdict}
    ids = {one.cell.way: f"cell-{number}" for number, one in enumerate(grid.results, 1)}
    return render("matrix.html", grid=grid, sections=sections, ids=ids, mark=mark)


def render(template: str, **values: object) -> str:
    """A page from a template, with all that it needs inside."""
    pages = Environment(
        loader=PackageLoader("lab.scenarios", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["figure"] = figure
    pages.filters["breakable"] = _breakable
    pages.filters["began"] = _began
    return pages.get_template(template).render(plotly=get_plotlyjs(), **values)


def _began(verdicts: Sequence[Verdict]) -> str:
    """When the first round began; "" when there was none."""
    times = [one.course.begin for verdict in verdicts for one in verdict.rounds]
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(times))) if times else ""


def _breakable(text: str) -> Markup:
    """Long names may be broken after their dots and slashes."""
    return Markup(re.sub(r"([./])(?=[a-zA-Z])", r"\1<wbr>", str(escape(text))))


def section(verdict: Verdict) -> Section:
    """What a page shows of a verdict."""
    spreads = verdict.spreads()
    ordered = sorted(spreads, key=lambda one: one.word == "held")  # what failed is looked at first
    first = [one.first.subject for one in ordered]
    timelines = [_timeline(number, one, first) for number, one in enumerate(verdict.rounds, 1)]
    trust = remarks(worst(one.precision for one in verdict.rounds))
    return Section(verdict, spreads, timelines, trust)


def _timeline(number: int, one: Round, first: Sequence[str]) -> Timeline:
    figures = chart(one.course, first)
    return Timeline(
        number,
        one.word,
        figures.length,
        plots(figures),
        colours(figures),
        [_step(event, one.course) for event in one.course.events],
    )


def _step(event: Event, course: Course) -> tuple[str, str, str, str]:
    def told(time: float | None) -> str:
        return "" if time is None else f"{time - course.begin:.2f} s"

    return told(event.began), event.words, told(event.done), told(event.healed)
