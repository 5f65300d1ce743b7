"""What a three-cluster lab costs while nobody uses it: bring-up time, memory and processor time."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
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
SHOWN = 7


async def measure(bench: Workbench) -> AsyncIterator[Row]:
    """The shipped three-cluster lab: up with its traffic, then idle without."""
    topology = load("three-clusters", None, "bench-three")
    running = await bench.up(topology)
    seconds = await until_answered(running)
    yield UP_THREE.measured(seconds, f"topology three-clusters, once; {running.used()}")
    quiet = await bench.up(topology.model_copy(update={"traffic": ()}))
    await pause(SETTLE_SECONDS)
    for row in await _cost(quiet):
        yield row
    await quiet.down()


async def _cost(running: Running) -> tuple[Row, Row]:
    before, start = _cpu(running), time.monotonic()
    await pause(WATCH_SECONDS)
    after, seconds = _cpu(running), time.monotonic() - start
    found = processes.lab_pids(running.init)
    memory: defaultdict[str, float] = defaultdict(float)
    busy: defaultdict[str, float] = defaultdict(float)
    for pid in found:
        memory[_kind(pid)] += processes.pss([pid])
        busy[_kind(pid)] += after.get(pid, 0.0) - before.get(pid, 0.0)
    sizes = f"{len(found)} processes; {_largest(memory, MEGABYTE)}"
    shares = f"apps, no traffic; {_largest(busy, seconds / 100)}"
    return (
        MEMORY.measured(sum(memory.values()) / MEGABYTE, sizes),
        PROCESSOR.measured(sum(busy.values()) / seconds * 100, shares),
    )


def _cpu(running: Running) -> dict[int, float]:
    return {pid: processes.cpu_seconds([pid]) for pid in processes.lab_pids(running.init)}


def _largest(parts: Mapping[str, float], unit: float) -> str:
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {value / unit:.3g}" for name, value in ranked[:SHOWN])


def _kind(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"
