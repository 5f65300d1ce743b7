"""What `status --watch` and the terminal interface live on: a stream of states of one lab."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from rich.console import Console
from rich.live import Live

from lab.base.wait import pause
from lab.observe import table
from lab.observe.state import LabState
from lab.ops.checked import checks_of
from lab.ops.labs import Lab, find
from lab.ops.status import REFRESH, observer, only


async def feed(lab: Lab) -> AsyncGenerator[LabState, None]:
    """The lab's state, once a second, for ever; with the mesh's own checks, once they are made."""
    async with observer(lab) as eyes, checks_of(lab) as checks:
        while True:
            yield checks.add(await eyes.look())
            await pause(REFRESH)


def watch(name: str, clusters: tuple[str, ...] = ()) -> None:
    """Keep the table of `status` up to date until Ctrl-C."""
    lab = find(name)
    chosen = lab.chosen(clusters)

    async def forever() -> None:
        async with aclosing(feed(lab)) as states:
            with Live(console=Console(), auto_refresh=False, screen=True) as live:
                async for seen in states:
                    live.update(table.render(only(seen, chosen)), refresh=True)

    asyncio.run(forever())
