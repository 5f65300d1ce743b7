"""How true an impaired path is to what was asked, and how much gets through the relay at most.

Between two pods without sidecars, over flat routes. The delay is one-way, so a round trip should take just
that long, and all that is more is the lab's own.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from lab.engines.embedded.control import Control
from lab.kube.client import Client
from lab.kube.kinds import NAMESPACES, PODS
from lab.kube.objects import Object
from lab.ops.bench import objects
from lab.ops.bench.dataplane import pod_uid
from lab.ops.bench.inside import execute
from lab.ops.bench.model import Figure, Row, percentile
from lab.ops.bench.scene import ready, topology
from lab.ops.bench.workbench import Running, Workbench

ASKED, VARIES = 50, 5
"""Milliseconds."""
SLACK = 5
MIDDLE = Figure(f"impaired path, asked {ASKED} ms ± {VARIES}: round trip p50", ASKED + SLACK, "ms")
LATE = Figure(f"impaired path, asked {ASKED} ms ± {VARIES}: round trip p99", ASKED + VARIES + SLACK, "ms")
CEILING = Figure("impaired path: most that gets through (TCP)", 100, "Mbit/s", at_most=False)
FIGURES = (MIDDLE, LATE, CEILING)
ROUND_TRIPS = 300
SIZE = 50_000_000
LIMIT_SECONDS = 60.0
ENDS = "west", "east"


async def measure(bench: Workbench) -> AsyncIterator[Row]:
    """In a lab of its own."""
    running = await bench.up(topology("bench-wan"))
    async with await running.connect("west") as west, await running.connect("east") as east:
        client, _ = await _pod(west, "client", objects.idle())
        _, server = await _pod(east, "server", {"name": "server", "image": objects.PATH_SERVER})
        name = running.topology.name
        await bench.lab(
            "fault.impair", *ENDS, "--delay", f"{ASKED}ms", "--jitter", f"{VARIES}ms", "--one-way",
            "--lab", name,
        )  # fmt: skip
        times = await _probe(running, client, "round_trips", server, ROUND_TRIPS)
        note = f"{len(times)} datagrams one after the other, {min(times):.1f} to {max(times):.1f} ms"
        yield MIDDLE.measured(percentile(times, 0.5), note)
        yield LATE.measured(percentile(times, 0.99), note)
        await bench.lab("fault.heal", "--all", "--lab", name)
        await bench.lab("fault.impair", *ENDS, "--delay", "1ms", "--lab", name)
        rate = await _probe(running, client, "throughput", server, SIZE)
        yield CEILING.measured(rate, f"one connection, {SIZE / 1e6:.0f} MB, delayed 1 ms each way")
    await running.down()


async def _pod(client: Client, name: str, container: Object) -> tuple[str, str]:
    """A pod without a sidecar; returns its uid and its address once it is ready."""
    await client.apply(NAMESPACES, objects.namespace())
    await client.apply(PODS, objects.pod(name, [container], meshed=False))
    address = await ready(client, name)
    return await pod_uid(client, name), address


async def _probe(running: Running, client: str, what: str, address: str, count: int) -> Any:
    argv = (sys.executable, "-m", "lab.ops.bench.pathprobe", what, address, str(count))
    async with Control.connect(running.dir) as control:
        return json.loads(await execute(control, "west", f"{client}/load", argv, LIMIT_SECONDS))
