"""The measured rows as a table. Pure."""

from collections.abc import Sequence

from rich.table import Table

from lab.ops.bench.model import Row, Verdict, shown

STYLES: dict[Verdict, str] = {"yes": "green", "no": "bold red", "not measured": "yellow"}


def render(rows: Sequence[Row], machine: str = "") -> Table:
    """One line per row, in the order they were measured; below it what the figures depend on."""
    table = Table(caption=machine or None, caption_justify="left")
    for title in ("figure", "measured", "budget", "met", "how"):
        table.add_column(title, justify="right" if title in ("measured", "budget") else "left")
    for row in rows:
        value = "-" if row.value is None else shown(row.value, row.figure.unit)
        verdict = f"[{STYLES[row.verdict]}]{row.verdict}[/]"
        table.add_row(row.figure.name, value, row.figure.limit, verdict, row.note)
    return table
