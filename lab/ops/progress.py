"""What a long command is doing, per cluster: a live table on a terminal, plain lines elsewhere.

All of it goes to stderr; stdout is for data.
"""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table


class Progress:
    """Call it with where (a cluster, a link, the lab) and what is happening there now."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False)
        self._start = time.monotonic()
        self._rows: dict[str, tuple[str, float]] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._table, refresh_per_second=10, transient=True
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def __call__(self, where: str, what: str) -> None:
        now = time.monotonic() - self._start
        self._rows[where] = (what, now)
        if self._live is None:
            self._console.print(f"{now:6.2f} s  {where}: {what}", markup=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._start

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for where, (what, since) in self._rows.items():
            table.add_row(f"[bold]{where}[/]", what, f"[dim]{since:.1f} s[/]")
        return table
