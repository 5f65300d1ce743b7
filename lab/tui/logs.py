"""The two panes that grow: what happened to the lab, and which commands were given here."""

import time
from collections import deque
from collections.abc import Iterable

from rich.text import Text
from textual.widgets import RichLog

from lab.tui.changes import Happening

KEPT = 500
TONES = {"good": "green", "bad": "red", "plain": ""}


class Events(RichLog):
    """Happenings, newest last; a filter shows a part without losing the rest."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id, wrap=False, max_lines=KEPT, highlight=False)
        self._all: deque[Happening] = deque(maxlen=KEPT)
        self._wanted = ""

    def add(self, happenings: Iterable[Happening]) -> None:
        for one in happenings:
            self._all.append(one)
            self._show(one)

    def filter(self, text: str) -> None:
        if text == self._wanted:
            return
        self._wanted = text
        self.clear()
        for one in self._all:
            self._show(one)

    def _show(self, one: Happening) -> None:
        if self._wanted.lower() in f"{one.where} {one.text}".lower():
            self.write(
                Text.assemble((one.time, "dim"), " ", (one.where, "bold"), " ", (one.text, TONES[one.tone]))
            )


class Commands(RichLog):
    """The command line of everything done here, with its outcome: what is clicked can be typed."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id, wrap=True, max_lines=KEPT, highlight=False)

    def given(self, command: str) -> None:
        self.write(Text.assemble((time.strftime("%H:%M:%S"), "dim"), (" $ ", "cyan"), (command, "bold cyan")))

    def ended(self, said: str, failed: bool) -> None:
        self.write(Text(f"  {said}", style="red" if failed else "green"))
