"""The terminal interface: takes states from a feed, hands them to the panes, turns keys into actions.

It does no I/O of its own. A feed that is slow or broken shows as "stale"; nothing waits for it.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Horizontal
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Input, TabbedContent, TabPane

from lab.base.errors import LabError
from lab.base.wait import pause
from lab.observe.state import LabState
from lab.tui.actions import Actions, Choice, choices, heal_command
from lab.tui.changes import changes
from lab.tui.dialogs import ChooseFault, Confirm, ShowYaml
from lab.tui.head import Head
from lab.tui.logs import Commands, Events
from lab.tui.messages import CommandEnded, FeedFailed, StateArrived
from lab.tui.panes import Faults, Map, Problems, Table, Traffic, traffic_key
from lab.tui.workloads import Measured, Workloads

Feed = Callable[[], AsyncIterator[LabState]]
RETRY = 1.0


class LabApp(App[None]):
    """Clusters and links, traffic, faults and events of one lab."""

    CSS_PATH = "lab.tcss"
    TITLE = "multicluster-lab"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "narrow"), (130, "wide")]
    VERTICAL_BREAKPOINTS = [(0, "low"), (30, "high")]
    BINDINGS = [
        Binding("f", "fault", "Fault", id="lab.fault"),
        Binding("h,ctrl+d", "heal", "Heal", id="lab.heal"),
        Binding("H", "heal_all", "Heal all", id="lab.heal-all"),
        Binding("slash", "filter", "Filter", key_display="/", id="lab.filter"),
        Binding("y", "yaml", "YAML", id="lab.yaml"),
        Binding("w", "workloads", "Workloads", id="lab.workloads"),
        Binding("e", "show('events')", "Events", id="lab.events"),
        Binding("p", "show('problems')", "Problems", id="lab.problems"),
        Binding("c", "show('commands')", "Commands", id="lab.commands"),
        Binding("question_mark", "help", "Help", key_display="?", id="lab.help"),
        Binding("colon", "command_palette", "Palette", key_display=":", show=False),
        Binding("escape", "clear", "Clear filter", show=False),
        Binding("q", "quit", "Quit", id="lab.quit"),
    ]
    state: reactive[LabState | None] = reactive(None)

    def __init__(
        self, feed: Feed, measured: Measured, actions: Actions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._feed, self._measured, self._actions = feed, measured, actions
        self._head = Head(clock)
        self._events, self._commands = Events("event-log"), Commands("command-log")

    def compose(self) -> ComposeResult:
        yield self._head.data_bind(LabApp.state)
        yield Map(id="map").data_bind(LabApp.state)
        yield Traffic(id="traffic", classes="rates").data_bind(LabApp.state)
        yield Workloads(self._measured, id="workloads", classes="rates")
        with Horizontal(id="lower"):
            yield Faults(id="faults").data_bind(LabApp.state)
            with TabbedContent(id="more", initial="events"):
                with TabPane("Events", id="events"):
                    yield self._events
                with TabPane("Problems", id="problems"):
                    yield Problems(id="problem-table").data_bind(LabApp.state)
                with TabPane("Commands", id="commands"):
                    yield self._commands
        yield Input(placeholder="filter traffic, workloads and events; esc clears", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        faults = self.query_one(Faults)
        faults.border_title, faults.border_subtitle = "Faults", "f inject  h heal"
        self.query_one(Traffic).focus()
        self.run_worker(self._pump(), name="feed")

    async def _pump(self) -> None:
        """Post every state of the feed; begin again when it breaks."""
        while True:
            try:
                async for state in self._feed():
                    self.post_message(StateArrived(state))
                self.post_message(FeedFailed("the feed ended"))
            except (LabError, OSError) as error:
                self.post_message(FeedFailed(str(error)))
            await pause(RETRY)

    def on_state_arrived(self, message: StateArrived) -> None:
        self._head.arrived()
        self._events.add(changes(self.state, message.state))
        self.state = message.state
        count = len(message.state.problems)
        for tab in self.query("#more").results(TabbedContent):
            tab.get_tab("problems").label = f"Problems ({count})" if count else "Problems"

    def on_feed_failed(self, message: FeedFailed) -> None:
        self._head.failed(message.reason)

    def action_fault(self) -> None:
        if self.state is not None:
            self.push_screen(ChooseFault(choices(self.state)), self._inject)

    def _inject(self, choice: Choice | None) -> None:
        if choice is not None:
            self._do(choice.command, lambda: self._actions.inject(choice))

    def action_heal(self) -> None:
        fault = self.query_one(Faults).selected_key()
        if not fault:
            self.notify("no fault to heal")
            return
        self._do(heal_command(fault), lambda: self._actions.heal(fault))

    def action_heal_all(self) -> None:
        faults = [fault.id for fault in self.state.faults] if self.state else []

        def confirmed(yes: bool | None) -> None:
            if yes:
                self._do("lab fault.heal --all", lambda: self._actions.heal(""))

        if faults:
            self.push_screen(Confirm(f"Heal all {len(faults)} faults?", "lab fault.heal --all"), confirmed)

    def _do(self, command: str, act: Callable[[], Awaitable[str]]) -> None:
        """Start an action; the command log shows at once what was asked, and later how it ended."""
        self._commands.given(command)
        self.action_show("commands")

        async def run() -> None:
            try:
                self.post_message(CommandEnded(command, await act(), failed=False))
            except (LabError, OSError) as error:
                self.post_message(CommandEnded(command, str(error), failed=True))

        self.run_worker(run(), group="actions")

    def on_command_ended(self, message: CommandEnded) -> None:
        self._commands.ended(message.said, message.failed)
        if message.failed:
            self.notify(message.said, title=message.command, severity="error")

    def action_show(self, pane: str) -> None:
        self.query_one("#more", TabbedContent).active = pane

    def action_workloads(self) -> None:
        """Show what the proxies measured in the place of what the callers did, or the other way round."""
        self.query_one(Workloads).switch()
        self.query_one(Traffic).display = not self.query_one(Workloads).display
        self._focus_rates()

    def _focus_rates(self) -> None:
        next(table for table in self.query(".rates") if table.display).focus()

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    @on(Input.Changed, "#filter")
    def narrow(self, event: Input.Changed) -> None:
        self.query_one(Traffic).wanted = event.value
        self.query_one(Workloads).wanted = event.value
        self.query_one(Problems).wanted = event.value
        self._events.filter(event.value)

    @on(Input.Submitted, "#filter")
    def leave_filter(self) -> None:
        self._focus_rates()

    def action_clear(self) -> None:
        box = self.query_one("#filter", Input)
        box.clear()
        box.remove_class("open")
        self._focus_rates()

    def action_yaml(self) -> None:
        """Show what is under the cursor of the focused table as the JSON contract has it."""
        table = self.focused
        if self.state is None or not isinstance(table, Table) or not (key := table.selected_key()):
            return
        document = self.state.to_json()
        rows = {traffic_key(s): d for s, d in zip(self.state.services, document["services"], strict=True)}
        rows |= {fault["id"]: fault for fault in document["faults"]}
        rows |= {f"{p['where']}: {p['what']}": p for p in document["problems"]}
        rows |= self.query_one(Workloads).documents()
        if key in rows:
            self.push_screen(ShowYaml(key, rows[key]))

    def action_help(self) -> None:
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from super().get_system_commands(screen)
        for choice in choices(self.state) if self.state else ():
            yield SystemCommand(f"Fault: {choice.title}", choice.command, lambda c=choice: self._inject(c))
        for fault in self.state.faults if self.state else ():
            command = heal_command(fault.id)
            yield SystemCommand(
                f"Heal {fault.id}", command,
                lambda c=command, i=fault.id: self._do(c, lambda: self._actions.heal(i)),
            )  # fmt: skip
