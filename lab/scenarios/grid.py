"""What came of a matrix, as a grid in the terminal and as data. Pure; `pages` shows it in a browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.scenarios.matrix import Cell
from lab.scenarios.outcome import Word
from lab.scenarios.report import MARKS
from lab.scenarios.verdict import Spread, Verdict, figure

CellWord = Word | Literal["impossible", "error"]
STYLES: Mapping[str, str] = {**dict(MARKS.items()), "impossible": "dim", "error": "bold red"}
TELLING = ("outage", "shift_within", "failback_within", "detect_within", "success", "p99", "p50")
"""Measures by which cells in which all held are told apart: the first that there is, best during a fault."""


@dataclass(frozen=True)
class Result:
    """What came of a cell: a verdict, or why there is none."""

    cell: Cell
    command: str
    """What runs this cell alone."""
    verdict: Verdict | None = None
    error: str = ""
    """What kept it from being judged, such as a lab that did not reach its steady state."""

    @property
    def word(self) -> CellWord:
        if self.verdict:
            return self.verdict.word
        return "error" if self.error else "impossible"

    @property
    def as_expected(self) -> bool:
        """Whether it is what the file says; what cannot be disappoints nobody."""
        return self.word in ("impossible", self.cell.expected)

    @property
    def missed(self) -> list[Spread]:
        """The measures that did not hold in every round."""
        return [one for one in self.verdict.spreads() if one.word != "held"] if self.verdict else []

    @property
    def key(self) -> Spread | None:
        """The measure that says most: the first that did not hold, or a figure."""
        spreads = self.verdict.spreads() if self.verdict else []
        figured = [one for one in spreads if one.figures and one.first.measure in TELLING]
        figured.sort(key=lambda one: (TELLING.index(one.first.measure), "during" not in one.first.window))
        return next(iter([*self.missed, *figured, *spreads]), None)

    @property
    def told(self) -> str:
        """The key measure in words, or why there is none."""
        if self.key is None:
            return self.error or self.cell.reason
        first, rounds = self.key.first, len(self.key.outcomes)
        what = f"{first.measure} {first.window.removeprefix('whole run')}".strip()
        wrong = [one for one in self.key.outcomes if not one.ok]
        if not wrong:
            return f"{what}: {figure(self.key.figures[1], first.unit) if self.key.figures else first.told}"
        words = f"{first.subject} {what}: {wrong[0].told}, asked {first.wanted}"
        words += f" (so in {len(wrong)} of {rounds} rounds)" if rounds > 1 else ""
        return words + (f"; {len(self.missed) - 1} more" if len(self.missed) > 1 else "")

    def to_json(self) -> dict[str, Any]:
        cell = self.cell
        axes = {"variant": cell.variant, "mode": cell.mode, "version": cell.version, "fault": cell.fault}
        return {
            **{axis: value or None for axis, value in axes.items()},
            "verdict": self.word,
            "expected": cell.expected if self.word != "impossible" else None,
            "asExpected": self.as_expected,
            "reason": self.error or cell.reason,
            "key": self.key.to_json() if self.key else None,
            "command": self.command,
            "run": self.verdict.to_json() if self.verdict else None,
        }


@dataclass(frozen=True)
class Grid:
    """All cells of one scenario, row by row."""

    title: str
    results: Sequence[Result]
    command: str

    @property
    def ok(self) -> bool:
        return all(one.as_expected for one in self.results)

    @property
    def axis(self) -> str:
        """What its rows differ in."""
        variants, faults = (
            any(getattr(one.cell, what) for one in self.results) for what in ("variant", "fault")
        )
        return " and ".join(["variant"] * variants + ["fault"] * faults) or "scenario"

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(one.cell.column for one in self.results))

    @property
    def rows(self) -> dict[str, list[Result]]:
        found: dict[str, list[Result]] = {}
        for one in self.results:
            found.setdefault(one.cell.row, []).append(one)
        return found

    @property
    def versions(self) -> dict[str, str]:
        """What the cells ran on; where they differ, all that they did."""
        ran_on = [one.verdict.versions for one in self.results if one.verdict]
        names = dict.fromkeys(name for versions in ran_on for name in versions)
        return {name: ", ".join(dict.fromkeys(one[name] for one in ran_on if name in one)) for name in names}

    @property
    def summary(self) -> str:
        """How many cells are as expected, and how many cannot be."""
        judged = [one for one in self.results if one.word != "impossible"]
        surprises = sum(not one.as_expected for one in judged)
        are = "cell is" if len(judged) == 1 else "cells are"
        words = f"{len(judged) - surprises} of {len(judged)} {are} as expected"
        impossible = len(self.results) - len(judged)
        return words + (f", {impossible} cannot be" if impossible else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "ok": self.ok,
            "command": self.command,
            "versions": self.versions,
            "cells": [one.to_json() for one in self.results],
        }


def render(grid: Grid) -> RenderableType:
    """The grid, why cells cannot be, and what runs each cell alone."""
    table = Table(show_lines=True, title=grid.title, title_justify="left", title_style="bold")
    table.add_column(grid.axis, overflow="fold")
    for name in grid.columns:
        table.add_column(name, overflow="fold", ratio=1)
    for name, results in grid.rows.items():
        table.add_row(name, *map(_cell, results))
    lines = [f"{mark(one)} {one.command}" for one in grid.results if one.word != "impossible"]
    return Group(table, Text(f"{grid.summary}.", "bold"), "", "Each cell alone:", *map(Text, lines))


def mark(result: Result) -> str:
    """Whether a cell is as expected, in a character that is told apart without colour."""
    return "·" if result.word == "impossible" else "✓" if result.as_expected else "✗"


def _cell(result: Result) -> Text:
    word = result.word if result.word in ("held", "impossible") else result.word.upper()
    shown = Text(f"{mark(result)} {word}", STYLES[result.word])
    if result.word != "impossible" and result.cell.expected != "held":
        shown.append(", as expected" if result.as_expected else f", expected: {result.cell.expected}")
    return shown.append(f"\n{result.told}", "dim" if result.word == "impossible" else "default")
