"""Two thousand exported services, mirrored through the gateway: time, growth and memory."""

import time
from collections.abc import AsyncIterator

from lab.base.concurrent import together
from lab.base.wait import until
from lab.engines.embedded.control import Control
from lab.kube.client import Client
from lab.kube.kinds import ENDPOINTS, NAMESPACES, PODS, SERVICES
from lab.kube.objects import namespace, uid
from lab.ops.bench import objects
from lab.ops.bench.model import Figure, Row, growth
from lab.ops.bench.objects import SPACE
from lab.ops.bench.scene import topology
from lab.ops.bench.workbench import Running, Workbench
from lab.plan.workloads import EXPORTED

TIME = Figure("2,000 services mirrored", 30, "s")
GROWTH = Figure("2,000 services mirrored: cost of the last 1,000 against the first 500", 1.3, "x")
MEMORY = Figure("2,000 services mirrored: control plane memory (PSS)", 300, "MB")
FIGURES = (TIME, GROWTH, MEMORY)
STEPS = (500, 500, 1000)
AT_ONCE = 8
STEP_SECONDS = 120.0
MIRRORED = "mirror.linkerd.io/mirrored-service=true"
SPACES = ("linkerd", "linkerd-multicluster")


async def measure(bench: Workbench) -> AsyncIterator[Row]:
    """In a lab of its own, with one meshed pod in the mirroring cluster."""
    running = await bench.up(topology("bench-mirror"))
    async with await running.connect("west") as west, await running.connect("east") as east:
        for client in (west, east):
            await client.apply(NAMESPACES, objects.namespace())
        seconds: list[float] = []
        for step, size in enumerate(STEPS):
            seconds.append(await _step(west, east, sum(STEPS[:step]), size))
        per_step = ", ".join(f"{size}: {took:.1f} s" for size, took in zip(STEPS, seconds, strict=True))
        yield TIME.measured(sum(seconds), f"creation included; {per_step}")
        yield GROWTH.measured(growth(STEPS, seconds), per_step)
        yield await _memory(running, west)
    await running.down()


async def _step(west: Client, east: Client, first: int, count: int) -> float:
    """Create services in east; returns the seconds until west has all mirrors with their endpoints."""
    start = time.monotonic()
    names = iter([f"s{number}" for number in range(first, first + count)])

    async def create() -> None:
        for name in names:
            await east.create(SERVICES, objects.service(name, {EXPORTED: "true"}, app="backend"))

    await together(*(create() for _ in range(AT_ONCE)))

    async def mirrored() -> bool:
        for kind in (SERVICES, ENDPOINTS):
            if len(await west.list(kind, SPACE, labels=MIRRORED)) < first + count:
                return False
        return True

    await until(mirrored, timeout=STEP_SECONDS, what=f"{first + count} mirrors in west", every=0.25)
    return time.monotonic() - start


async def _memory(running: Running, west: Client) -> Row:
    """What the mesh's control plane of the mirroring cluster takes; its proxies are not counted."""
    pods = {uid(pod): pod for pod in await west.list(PODS) if namespace(pod) in SPACES}
    async with Control.connect(running.dir) as control:
        units = await control.call("stats")
    sizes = {}
    for key, cost in units.items():
        pod, _, container = key.partition("/")
        if pod in pods and not container.startswith("linkerd-proxy"):
            sizes[container.partition("/")[0]] = cost["pss"] / 1e6
    note = ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes.items(), key=lambda kv: -kv[1])[:4])
    return MEMORY.measured(sum(sizes.values()), f"west: {note}")
