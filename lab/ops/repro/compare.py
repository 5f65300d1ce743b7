"""The verdict or the state that was recorded against the one of the replay, row by row. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.scenarios.reactions import AT_HOME

NOTHING = "nothing"
"""Stands for a row that one side does not have."""
KEY = ("subject", "measure", "window", "wanted")
FINE = 0.99
"""Success from which on traffic is said to be answered."""


@dataclass(frozen=True)
class Row:
    """One expectation, or one part of the state. `then` and `now` are its outcomes, which must be the same;
    what was seen need not."""

    what: str
    then: str
    now: str
    seen_then: str = ""
    seen_now: str = ""

    @property
    def same(self) -> bool:
        return self.then == self.now


def verdicts(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """Expectation by expectation, of what `lab run --json` prints; one holds if it did in every round."""
    recorded, replayed = _outcomes(then), _outcomes(now)
    rows = []
    for key in dict.fromkeys((*recorded, *replayed)):
        one, other = recorded.get(key, (NOTHING, "")), replayed.get(key, (NOTHING, ""))
        rows.append(Row(_what(key), one[0], other[0], one[1], other[1]))
    return rows


def _what(key: tuple[str, ...]) -> str:
    subject, measure, window, wanted = key
    return " ".join(word for word in (subject, measure, wanted, f"({window})" if window else "") if word)


def _outcomes(verdict: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[str, str]]:
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for one in verdict["rounds"]:
        for outcome in one["expectations"]:
            found.setdefault(tuple(str(outcome[word]) for word in KEY), []).append(outcome)
    return {
        key: (_word(outcomes), " · ".join(dict.fromkeys(str(one["seen"]) for one in outcomes)))
        for key, outcomes in found.items()
    }


def _word(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """As a verdict words it: what was not shown to hold was not always shown to fail."""
    missed = [one for one in outcomes if not one["ok"]]
    if not missed:
        return "held"
    return "inconclusive" if all(one.get("doubt") for one in missed) else "failed"


def states(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """Cluster by cluster, link by link and traffic by traffic, both as `lab status --json` prints them."""
    recorded, replayed = _parts(then), _parts(now)
    return [
        Row(what, recorded.get(what, NOTHING), replayed.get(what, NOTHING))
        for what in dict.fromkeys((*recorded, *replayed))
    ]


def _parts(state: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{f"cluster {one['name']}": str(one["state"]) for one in state["clusters"]},
        **{f"link {one['from']}->{one['to']}": str(one["state"]) for one in state["links"]},
        **{f"traffic {one['cluster']}/{one['traffic']}": _answers(one) for one in state["services"]},
    }


def _answers(traffic: Mapping[str, Any]) -> str:
    success = traffic["success"]
    if success is None:
        return "not called"
    if not success:
        return "not answered"
    by = ", ".join(sorted(name for name, share in traffic["answeredBy"].items() if share >= AT_HOME))
    return f"answered by {by}" if success >= FINE else f"partly answered by {by}"


def shown(rows: Sequence[Row], head: str) -> RenderableType:
    """A table with what differs first, below the sentence that sums it up."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "WHAT", "RECORDED", "NOW"):
        table.add_column(column, overflow="fold")
    for row in sorted(rows, key=lambda one: one.same):
        mark = Text("same", "green") if row.same else Text("DIFFERS", "bold red")
        then, now = _said(row.then, row.seen_then), _said(row.now, row.seen_now)
        table.add_row(mark, Text(printable(row.what)), then, now)
    return Group(Text(head, "bold"), "", table)


def _said(outcome: str, seen: str) -> Text:
    return Text(printable(f"{outcome}: {seen}" if seen else outcome))


def printable(text: str) -> str:
    """Text of somebody else's, without what a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text)


def data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for programs."""
    return [{**asdict(row), "same": row.same} for row in rows]
