"""The table of workloads: what the mesh's proxies measured. It asks them only while it is shown."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from rich.text import Text
from textual.worker import Worker

from lab.base.errors import LabError
from lab.base.wait import pause
from lab.observe.golden import Stat, Workload
from lab.observe.table import WORKLOAD_COLUMNS, workload, workload_name
from lab.tui.messages import FeedFailed
from lab.tui.panes import Row, Table

RETRY = 1.0
Measured = Callable[[], AsyncIterator[Stat]]


class Workloads(Table[Stat]):
    """One row per meshed workload; those of a cluster that fell silent stay, dimmed, after the others."""

    columns_wanted = WORKLOAD_COLUMNS

    def __init__(self, measured: Measured, **options: Any) -> None:
        super().__init__(**options)
        self._measured = measured
        self._following: Worker[None] | None = None
        self._known: tuple[Workload, ...] = ()
        self.display = False

    def switch(self) -> None:
        """Show what was hidden and begin to ask, or the other way round."""
        self.display = not self.display
        if self._following is not None:
            self._following.cancel()
        self._following = self.run_worker(self._follow(), name="stats") if self.display else None

    async def _follow(self) -> None:
        while True:
            try:
                async for stat in self._measured():
                    self.state = stat
            except (LabError, OSError) as error:
                self.post_message(FeedFailed(str(error)))
            await pause(RETRY)

    def rows_of(self, state: Stat) -> Mapping[str, Row]:
        silent = {problem.where for problem in state.problems}
        kept = tuple(row for row in self._known if f"cluster {row.cluster}" in silent)
        self._known = (*state.workloads, *kept)
        return {key_of(row): _silent(row) if row in kept else workload(row) for row in self._known}

    def documents(self) -> Mapping[str, Any]:
        """Each row as the JSON contract has it."""
        if self.state is None:
            return {}
        rows = self.state.to_json()["workloads"]
        return {key_of(row): document for row, document in zip(self.state.workloads, rows, strict=True)}


def _silent(row: Workload) -> Row:
    name = (Text(row.cluster, "dim"), Text(workload_name(row), "dim"))
    return (*name, *[Text("?", "dim")] * (len(WORKLOAD_COLUMNS) - len(name)))


def key_of(row: Workload) -> str:
    return f"{row.cluster}/{row.namespace}/{row.kind}/{row.name}"
