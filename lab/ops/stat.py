"""What the mesh's proxies measured of each workload: two scrapes and what happened between them, or more.

The order of things for `lab stat` and the workloads of the terminal interface. `status` does not come here:
one look at a lab asks no proxy.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live

from lab.base.errors import UsageError
from lab.base.wait import pause
from lab.observe import table
from lab.observe.gather import Gatherer
from lab.observe.golden import Stat, workloads
from lab.observe.readings import Reading
from lab.observe.scrape import scrape
from lab.ops.answer import Answer
from lab.ops.labs import Lab, find
from lab.ops.status import clusters_of
from lab.topology.grammar import parse_duration

WINDOW = 6.0
"""Seconds between two scrapes. Envoy adds latencies up every 5 s, so a shorter window may have none."""


@dataclass(frozen=True)
class Asked:
    """Which clusters and namespaces (none: all), and seconds between two scrapes."""

    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    window: float = WINDOW


def seconds(word: str) -> float:
    """A window as the command line has it. Raises UsageError."""
    try:
        window = parse_duration(word)
    except ValueError as error:
        raise UsageError(f'--window "{word}": found no duration', remedy=f"use {error}") from error
    if window < 1:
        raise UsageError(f'--window "{word}": too short for a rate', remedy="use 1s or more")
    return window


async def stats(lab: Lab, asked: Asked) -> AsyncGenerator[Stat, None]:
    """A scrape every `window` seconds, for ever, with what rose since the one before; the first has nothing
    to compare with, and so no rates. Raises UsageError for a cluster that is not there."""
    chosen, gatherer = lab.chosen(asked.clusters), Gatherer(lab.connect)
    earlier: dict[str, Reading] = {}
    try:
        while True:
            due = time.monotonic() + asked.window
            facts = [fact for fact in await clusters_of(lab) if fact.name in chosen]
            seen = await scrape(gatherer, facts, asked.namespaces)
            rows = workloads(earlier, seen.pods)
            yield Stat(lab.name, time.time(), asked.window, rows, seen.problems)
            newest = ((pod.uid, pod.reading or earlier.get(pod.uid)) for pod in seen.pods)
            earlier = {uid: reading for uid, reading in newest if reading}
            await pause(max(0.0, due - time.monotonic()))
    finally:
        await gatherer.close()


def stat(name: str, asked: Asked) -> Answer:
    """One window. Not ok when a cluster or a proxy could not be read."""
    lab = find(name)

    async def twice() -> Stat:
        async with aclosing(stats(lab, asked)) as following:
            await anext(following)
            return await anext(following)

    seen = asyncio.run(twice())
    return Answer(seen.to_json(), table.stat(seen), ok=not seen.problems)


def watch(name: str, asked: Asked) -> None:
    """Keep the table up to date until Ctrl-C."""
    lab = find(name)

    async def forever() -> None:
        async with aclosing(stats(lab, asked)) as following:
            with Live(console=Console(), auto_refresh=False, screen=True) as live:
                async for seen in following:
                    live.update(table.stat(seen), refresh=True)

    asyncio.run(forever())
