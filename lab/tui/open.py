"""Opens the interface on a running lab: joins the app with the lab's feed and fault verbs.

The verbs are blocking and run their own event loop, so each runs in a thread.
"""

import asyncio
from collections.abc import AsyncIterator

from rich.console import Console

from lab.faults.model import Tenure
from lab.observe.golden import Stat
from lab.observe.state import LabState
from lab.ops import fault
from lab.ops.answer import Answer
from lab.ops.feed import feed
from lab.ops.labs import find
from lab.ops.stat import Asked, stats
from lab.tui.actions import Choice
from lab.tui.app import LabApp

TENURE = Tenure("tui")


class LabActions:
    """The fault verbs of the command line on one lab."""

    def __init__(self, lab: str) -> None:
        self._lab = lab

    async def inject(self, choice: Choice) -> str:
        return said(
            await asyncio.to_thread(fault.inject, choice.kind, choice.target, lab=self._lab, tenure=TENURE)
        )

    async def heal(self, fault_id: str) -> str:
        """Heal one fault, or all when the id is empty."""
        return said(await asyncio.to_thread(fault.heal, (fault_id,) if fault_id else (), lab=self._lab))


def said(answer: Answer) -> str:
    """An answer as plain text."""
    if isinstance(answer.view, str):
        return answer.view
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(answer.view)
    return capture.get().rstrip()


def open_tui(name: str) -> None:
    """Run the interface until the user leaves. Raises NoSuchLab before the screen is taken."""
    lab = find(name)

    def states() -> AsyncIterator[LabState]:
        return feed(lab)

    def measured() -> AsyncIterator[Stat]:
        return stats(lab, Asked())

    LabApp(states, measured, LabActions(lab.name)).run()
