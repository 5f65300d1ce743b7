"""The line at the top: which lab, how it is, and how old what you see is."""

from collections.abc import Callable

from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from lab.observe.state import LabState
from lab.observe.table import OLD_CHECKS, word

STALE_AFTER = 3.0


class Head(Widget):
    """Draws itself again twice a second, so that a feed that fell silent shows without a new state."""

    state: reactive[LabState | None] = reactive(None)

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(id="head")
        self._clock, self._arrived, self._trouble = clock, clock(), ""

    def on_mount(self) -> None:
        self.set_interval(0.5, self.refresh)

    def arrived(self) -> None:
        """A state has come."""
        self._arrived, self._trouble = self._clock(), ""
        self.refresh()

    def failed(self, reason: str) -> None:
        """The feed broke off."""
        self._trouble = reason
        self.refresh()

    def render(self) -> RenderResult:
        age = self._clock() - self._arrived
        late = age > STALE_AFTER or self._trouble
        warning = f"  stale since {age:.0f} s {self._trouble}".rstrip() if late else ""
        if self.state is None:
            return Text.assemble(("multicluster-lab", "bold"), "  waiting for the lab", (warning, "bold red"))
        state = self.state
        counted = (("cluster", state.clusters), ("link", state.links), ("fault", state.faults))
        counts = "".join(f"  {len(of)} {what}{'s' * (len(of) != 1)}" for what, of in counted)
        checks = f"  checks {state.checks_age:.0f} s old" if state.checks_age > OLD_CHECKS else ""
        return Text.assemble(
            ("lab ", "dim"), (state.lab, "bold"), ("  engine ", "dim"), state.engine, "  ",
            word(state.state), (counts, "dim"), (checks, "yellow"), (warning, "bold red"),
        )  # fmt: skip
