"""`bench`: measures the lab against its budgets, group by group, and reports every row.

A group that fails becomes rows that say why; the others are measured all the same. Labs of the bench live
in a folder of their own, so no lab of the user is touched.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.ops.answer import Answer
from lab.ops.bench import dataplane, features, idle, lifecycle, mirror, propagation, scale, scene, wan
from lab.ops.bench.groups import Group, chosen, wanted
from lab.ops.bench.model import Figure, Row
from lab.ops.bench.table import render
from lab.ops.bench.workbench import Workbench, workbench


async def _two_clusters(bench: Workbench) -> AsyncIterator[Row]:
    """The rows that share the scene."""
    running = await bench.up(scene.topology("bench-paths"))
    async with await running.connect("west") as west, await running.connect("east") as east:
        built = scene.Scene(west, east)
        await scene.build(built)
        for part in (dataplane, features):
            async for row in part.measure(running, built):
                yield row
        async for row in propagation.measure(built):
            yield row
    await running.down()


GROUPS = (
    Group("two clusters", lifecycle.TWO, lifecycle.measure_two),
    Group("three clusters", idle.FIGURES, idle.measure),
    Group(
        "data plane",
        (*dataplane.FIGURES, *features.FIGURES.values(), propagation.FIGURE),
        _two_clusters,
    ),
    Group("mirror", mirror.FIGURES, mirror.measure),
    Group("scale", scale.FIGURES, scale.measure),
    Group("impaired path", wan.FIGURES, wan.measure),
    Group("ten clusters", (lifecycle.UP_TEN,), lifecycle.measure_ten, on_request=True),
)


WHOLE_SECONDS = 340.0
"""A run without --only ends by then; on a busy machine its last rows are left out."""


def bench(only: str = "", out: str = "") -> Answer:
    """Measure the rows whose name contains `only` (all but the slowest without); `out` gets the JSON too."""
    groups = chosen(GROUPS, only)
    started = time.time()
    limit = None if only else WHOLE_SECONDS
    rows = [row for row in asyncio.run(_measure(groups, limit)) if not only or wanted(row.figure, only)]
    data = report(rows, started)
    if out:
        _write(Path(out), data)
    return Answer(data, render(rows, _machine(data)), ok=all(row.verdict != "no" for row in rows))


def report(rows: Sequence[Row], started: float) -> dict[str, Any]:
    """The rows with what they depend on: the machine and how busy others kept it."""
    return {
        "started": round(started, 1),
        "seconds": round(time.time() - started, 1),
        "cpus": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "rows": [row.to_json() for row in rows],
    }


def _machine(data: dict[str, Any]) -> str:
    return (
        f"{data['seconds']:.0f} s on {data['cpus']} cores, load average {data['load'][0]}; seconds, unlike "
        "ratios, mean little while others use the machine"
    )


async def _measure(groups: Sequence[Group], limit: float | None) -> list[Row]:
    deadline = None if limit is None else asyncio.get_running_loop().time() + limit
    rows: list[Row] = []
    async with workbench() as bench:
        for group in groups:
            sys.stderr.write(f"bench: {group.name} …\n")
            rows += await measured(group, bench, deadline)
            await bench.clear()
    return rows


async def measured(group: Group, bench: Workbench, deadline: float | None = None) -> list[Row]:
    """All rows of a group; those that an error or the `deadline` kept from being measured say so."""
    found: dict[Figure, Row] = {}
    why = "the group ended without it"
    try:
        async with asyncio.timeout_at(deadline):
            async for row in group.measure(bench):
                found[row.figure] = row
    except TimeoutError:
        why = "the time of the whole run was up; ask for it with --only"
    except LabError as error:
        why = str(error)
    return [found.get(figure) or figure.skipped(why) for figure in group.figures]


def _write(path: Path, data: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from error
