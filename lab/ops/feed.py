"""What the terminal interface lives on: a stream of states of one lab."""

from collections.abc import AsyncIterator

from lab.base.wait import pause
from lab.observe.state import LabState
from lab.ops.labs import Lab
from lab.ops.status import REFRESH, observer


async def feed(lab: Lab) -> AsyncIterator[LabState]:
    """The lab's state, once a second, for ever."""
    async with observer(lab) as eyes:
        while True:
            yield await eyes.look()
            await pause(REFRESH)
