"""What a measurement is and when it meets its budget. Pure: groups of rows produce it, the table and the
JSON show it.

A row that could not be measured says why; it is never counted as met.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Verdict = Literal["yes", "no", "not measured"]


@dataclass(frozen=True)
class Figure:
    """One row to be measured: its name and the limit it must keep (`at_most`, else at least)."""

    name: str
    budget: float
    unit: str
    at_most: bool = True

    def measured(self, value: float, note: str = "") -> "Row":
        return Row(self, value, note)

    def skipped(self, why: str) -> "Row":
        return Row(self, None, why)

    @property
    def limit(self) -> str:
        """The budget as the table shows it."""
        return f"{'≤' if self.at_most else '≥'} {shown(self.budget, self.unit)}"


@dataclass(frozen=True)
class Row:
    """A figure with what was seen; `note` tells how, or why it was not measured."""

    figure: Figure
    value: float | None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return "not measured"
        kept = self.value <= self.figure.budget if self.figure.at_most else self.value >= self.figure.budget
        return "yes" if kept else "no"

    def to_json(self) -> dict[str, Any]:
        return {
            "figure": self.figure.name,
            "value": None if self.value is None else round(self.value, 4),
            "unit": self.figure.unit,
            "budget": self.figure.budget,
            "bound": "at most" if self.figure.at_most else "at least",
            "met": self.verdict,
            "note": self.note,
        }


def shown(value: float, unit: str) -> str:
    """A value with its unit: three significant digits, whole numbers from 100 on."""
    text = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    glue = "" if unit in ("x", "%") else " "
    return f"{text}{glue}{unit}".rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of first ÷ second: what slows the machine down for a while slows down both of a pair."""
    return median(first / second for first, second in pairs)


def growth(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """How much dearer the last step's items are than the first step's; 1 is linear."""
    first, last = seconds[0] / sizes[0], seconds[-1] / sizes[-1]
    return last / first
