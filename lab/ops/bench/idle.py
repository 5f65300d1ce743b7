"""What a three-cluster lab costs while nobody uses it: bring-up time, memory and processor time."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from lab.base.wait import pause
from lab.ops.bench import processes
from lab.ops.bench.lifecycle import UP_THREE, until_answered
from lab.ops.bench.model import Figure, Row
from lab.ops.bench.workbench import Running, Workbench
from lab.topology.load import load

MEMORY = Figure("idle three clusters: memory (PSS)", 700, "MB")
PROCESSOR = Figure("idle three clusters: processor", 5, "%")
FIGURES = (UP_THREE, MEMORY, PROCESSOR)
SETTLE_SECONDS = 5.0
WATCH_SECONDS = 15.0
MEGABYTE = 1e6


async def measure(bench: Workbench) -> AsyncIterator[Row]:
    """The shipped three-cluster lab: up with its traffic, then idle without."""
    topology = load("three-clusters", None, "bench-three")
    running = await bench.up(topology)
    yield UP_THREE.measured(await until_answered(running), "topology three-clusters, once")
    await running.down()
    quiet = await bench.up(topology.model_copy(update={"traffic": ()}))
    await pause(SETTLE_SECONDS)
    for row in await _cost(quiet):
        yield row
    await quiet.down()


async def _cost(running: Running) -> tuple[Row, Row]:
    init = int(json.loads(running.dir.host.read_text())["pid"])
    before, start = processes.cpu_seconds(processes.lab_pids(init)), time.monotonic()
    await pause(WATCH_SECONDS)
    found = processes.lab_pids(init)
    share = (processes.cpu_seconds(found) - before) / (time.monotonic() - start) * 100
    by_name: Counter[str] = Counter()
    for pid in found:
        by_name[_kind(pid)] += processes.pss([pid])
    largest = ", ".join(f"{name} {size / MEGABYTE:.0f}" for name, size in by_name.most_common(4))
    return (
        MEMORY.measured(by_name.total() / MEGABYTE, f"{len(found)} processes; {largest}"),
        PROCESSOR.measured(share, f"of one core over {WATCH_SECONDS:g} s, apps up, no traffic"),
    )


def _kind(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"
