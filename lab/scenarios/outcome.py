"""One measure of a scenario and what was seen of it, and how wishes are worded. Pure.

`judge` and those it asks make outcomes; `report` shows them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from lab.apps.loadgen.records import Record
from lab.topology.bounds import Bound
from lab.topology.grammar import format_percent


@dataclass(frozen=True)
class Outcome:
    """One measure: what was wanted of what, and what was seen."""

    subject: str
    measure: str
    window: str
    wanted: str
    seen: str
    ok: bool
    """Whether it was shown to hold."""
    value: float | None = None
    """The figure that was seen: a share of 1, seconds, or a plain number."""
    unit: str = ""
    """share, s, or nothing."""
    error: float | None = None
    """Of a time: seconds by which the figure may be wrong at most (see `precision`)."""
    doubt: str = ""
    """Why it was not shown either way: the measuring error decides. "" when it was."""

    @property
    def told(self) -> str:
        """What was seen, and what is doubtful about it."""
        return f"{self.seen} (in doubt: {self.doubt})" if self.doubt else self.seen


Word = Literal["failed", "inconclusive", "held"]


def word(outcomes: Iterable[Outcome]) -> Word:
    """The verdict on outcomes; inconclusive: what was not shown to hold was not shown to fail either."""
    missed = [one for one in outcomes if not one.ok]
    if not missed:
        return "held"
    return "inconclusive" if all(one.doubt for one in missed) else "failed"


def seconds_wish(bound: Bound) -> str:
    return f"{bound.operator} {bound.limit:g} s"


def share_wish(bound: Bound) -> str:
    return f"{bound.operator} {format_percent(bound.limit)}"


def exactly(patterns: Iterable[str], words: Iterable[str]) -> tuple[str, str, bool]:
    """Each word fits a pattern, and each pattern a word; as wanted, seen and whether."""
    wanted, seen = tuple(patterns), sorted(set(words))
    fits = all(any(fnmatchcase(word, pattern) for pattern in wanted) for word in seen)
    every = all(any(fnmatchcase(word, pattern) for word in seen) for pattern in wanted)
    return ", ".join(wanted), ", ".join(word or "none" for word in seen) or "no answers", fits and every


def errors(calls: Sequence[Record]) -> str:
    """The kinds of errors among calls, in brackets; "" without any."""
    kinds = sorted({call.error for call in calls if call.error})
    return f" ({', '.join(kinds)})" if kinds else ""
