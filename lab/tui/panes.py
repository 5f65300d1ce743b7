"""The widgets that show a state: map, traffic table, faults and problems. State in, cells out.

Tables keep their rows and update cells, so that the cursor stays where the user put it.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text
from textual.app import RenderResult as Rendered
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import DataTable

from lab.observe.state import LabState, Service
from lab.observe.table import milliseconds, short_identity, short_url, success, word
from lab.tui import map as drawing

BAR = 8
BLOCKS = "▁▂▃▄▅▆▇█"
SHADES = ("cyan", "magenta", "yellow", "green", "blue", "bright_red")
Row = Sequence[Text | str]
State = TypeVar("State")
"""What a table shows: of a lab, or of its proxies."""


class Map(Widget):
    """The clusters and links, drawn to the width there is."""

    state: reactive[LabState | None] = reactive(None, layout=True)

    def render(self) -> Rendered:
        return _Drawing(self.state) if self.state else Text("waiting for the lab …", style="dim")


class _Drawing:
    """Draws at the width that the console asks for."""

    def __init__(self, state: LabState) -> None:
        self.state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield drawing.draw(self.state, options.max_width)


class Table(DataTable[Text | str], Generic[State]):
    """A DataTable that is brought in line with wanted rows; rows keep their keys, place and cursor."""

    state: reactive[State | None] = reactive(None)
    wanted: reactive[str] = reactive("")
    """Only rows that contain this text are shown."""
    columns_wanted: tuple[str, ...] = ()

    def on_mount(self) -> None:
        self.cursor_type = "row"
        for column in self.columns_wanted:
            self.add_column(column, key=column)

    def rows_of(self, state: State) -> Mapping[str, Row]:
        raise NotImplementedError

    def watch_state(self) -> None:
        self.bring_in_line()

    def watch_wanted(self) -> None:
        self.bring_in_line()

    def bring_in_line(self) -> None:
        if self.state is None or not self.columns:
            return
        rows = {key: row for key, row in self.rows_of(self.state).items() if self._is_wanted(row)}
        if list(rows) != [key.value for key in self.rows]:
            self._rebuild(rows)
            return
        for key, row in rows.items():
            for column, cell in zip(self.columns_wanted, row, strict=True):
                if self.get_cell(key, column) != cell:
                    self.update_cell(key, column, cell, update_width=True)

    def _rebuild(self, rows: Mapping[str, Row]) -> None:
        """Rows came or went, which is rare: write them anew in their order, with the cursor on its row."""
        under_cursor = self.selected_key()
        self.clear()
        for key, row in rows.items():
            self.add_row(*row, key=key)
        if under_cursor in rows:
            self.move_cursor(row=self.get_row_index(under_cursor), animate=False)

    def _is_wanted(self, row: Row) -> bool:
        return self.wanted.lower() in " ".join(str(cell) for cell in row).lower()

    def selected_key(self) -> str:
        """The key of the row under the cursor, or empty."""
        if not self.row_count:
            return ""
        return str(self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value)


class Traffic(Table[LabState]):
    """One row per calling cluster and service: success, rate, latency and who answers. Silent rows
    stay, dimmed.
    """

    columns_wanted = ("FROM", "TO", "SUCCESS", "TREND", "RATE", "P50", "P99", "ANSWERED BY", "IDENTITY SEEN")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._trend: dict[str, deque[float]] = {}
        self._last: dict[str, Service] = {}

    def watch_state(self) -> None:
        for service in self.state.services if self.state else ():
            if service.success is not None:
                key = traffic_key(service)
                self._trend.setdefault(key, deque(maxlen=BAR)).append(service.success)
        super().watch_state()

    def rows_of(self, state: LabState) -> Mapping[str, Row]:
        current = {traffic_key(service): service for service in state.services}
        answering = {cluster.name for cluster in state.clusters if cluster.api.state == "ready"}
        silent = {k: s for k, s in self._last.items() if s.cluster not in answering}
        self._last = {**silent, **current}
        shades = {c.name: SHADES[n % len(SHADES)] for n, c in enumerate(state.clusters)}
        order = {cluster.name: number for number, cluster in enumerate(state.clusters)}
        by_place = sorted(self._last.items(), key=lambda item: (order.get(item[1].cluster, 99), item[0]))
        return {
            key: self._row(key, service, shades) if key in current else _silent(service)
            for key, service in by_place
        }

    def _row(self, key: str, service: Service, shades: Mapping[str, str]) -> Row:
        return (
            service.cluster, short_url(service), success(service.success),
            trend(self._trend.get(key, ())), f"{service.rate:.0f}/s",
            milliseconds(service.p50_ms), milliseconds(service.p99_ms),
            answered_by(service.answered_by, shades),
            Text(", ".join(map(short_identity, service.identity_seen)) or "-", style="dim"),
        )  # fmt: skip


def traffic_key(service: Service) -> str:
    return f"{service.cluster}/{service.traffic}"


def _silent(service: Service) -> Row:
    blank = Text("?", style="dim")
    name = (Text(service.cluster, style="dim"), Text(short_url(service), style="dim"))
    return (*name, *[blank] * 5, Text("no word from the cluster", style="dim"), blank)


def trend(shares: Iterable[float]) -> Text:
    """The last success shares as small columns; anything short of all is visibly lower."""
    text = Text()
    for share in shares:
        block = BLOCKS[-1] if share >= 1 else BLOCKS[min(int(share * 7), 6)]
        text.append(block, "green" if share >= 0.99 else "red")
    return text


def answered_by(shares: Mapping[str, float], shades: Mapping[str, str]) -> Text:
    """A bar split by answering cluster, then the shares in words."""
    text, left = Text(), BAR
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    for number, (name, share) in enumerate(ordered):
        size = left if number == len(ordered) - 1 else min(left, max(1, round(share * BAR)))
        text.append("█" * size, shades.get(name, "white"))
        left -= size
    for name, share in ordered:
        text.append(f" {name} {share:.0%}", shades.get(name, "white"))
    return text or Text("-", style="dim")


class Faults(Table[LabState]):
    """The faults in force."""

    columns_wanted = ("FAULT", "ON", "STATE", "SINCE")

    def rows_of(self, state: LabState) -> Mapping[str, Row]:
        return {
            fault.id: (fault.id, fault.target, word(fault.state), f"{max(0, state.time - fault.since):.0f} s")
            for fault in state.faults
        }


class Problems(Table[LabState]):
    """What is wrong, and the command that helps."""

    columns_wanted = ("WHERE", "WHAT", "REMEDY")

    def rows_of(self, state: LabState) -> Mapping[str, Row]:
        return {
            f"{p.where}: {p.what}": (p.where, p.what, Text(p.remedy, style="cyan")) for p in state.problems
        }
