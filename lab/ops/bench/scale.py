"""What an API server does with the objects of five thousand pods and two hundred watchers: the time of a
write and of an event, memory, and whether a write costs more when there is more.

One server process on loopback, started as the engine starts it. What its clients cost is in the times, not in
the growth and the memory.
"""

import asyncio
import itertools
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp

from lab.base.concurrent import together
from lab.base.process import run
from lab.base.state import LabDir, make_private
from lab.base.wait import until
from lab.engines.embedded import kubeconfig, pki
from lab.kube.client import Client, Request
from lab.kube.kinds import NAMESPACES, PODS, SERVICE_ACCOUNTS, kind_of
from lab.kube.objects import resource_version
from lab.ops.bench import crowd, processes
from lab.ops.bench.crowd import SPACE
from lab.ops.bench.model import Figure, Row, paired_ratio, percentile
from lab.ops.bench.workbench import Workbench
from lab.plan.addresses import addresses
from lab.topology.model import Topology

WRITE = Figure("5,000 pods, 200 watchers: a write (p99)", 50, "ms")
EVENT = Figure("5,000 pods, 200 watchers: a watch event (p99)", 100, "ms")
GROWTH = Figure("5,000 pods: cost of a write against that with 1,000", 1.3, "x")
MEMORY = Figure("5,000 pods, 200 watchers: API server memory (PSS)", 200, "MB")
FIGURES = (WRITE, EVENT, GROWTH, MEMORY)
FEW, MANY = 1000, 5000
ROUNDS = 5
WATCHERS = 200
WRITES = 300
COSTED = 150
AT_ONCE = 8
READY_SECONDS = 20.0
MOST_SECONDS = 300.0
EVENT_SECONDS = 5.0
CLUSTER = "crowd"


@dataclass(frozen=True)
class Server:
    """A running API server with the objects of so many pods, and its administrator's client."""

    client: Client
    pid: int
    pods: int
    beats: Iterator[int] = field(default_factory=itertools.count)


async def measure(bench: Workbench) -> AsyncIterator[Row]:
    """A server with a thousand pods beside one with five; then the bigger one with watchers."""
    async with _server(bench.home, FEW) as small, _server(bench.home, MANY) as big:
        pairs = [(await _cost(big), await _cost(small)) for _ in range(ROUNDS)]
        shown = " and ".join(f"{median(costs) * 1000:.2f}" for costs in zip(*pairs, strict=True))
        yield GROWTH.measured(paired_ratio(pairs), f"processor of the servers: {shown} ms per write")
        async with AsyncExitStack() as stack:
            crowded = [await stack.enter_async_context(_watcher(big.client, n)) for n in range(WATCHERS)]
            writes, events = await _latencies(big, crowded)
            yield WRITE.measured(percentile(writes, 0.99), _spread(writes))
            yield EVENT.measured(percentile(events, 0.99), f"{len(events)} events; {_spread(events)}")
            objects = MANY + 3 * MANY // crowd.REPLICAS
            yield MEMORY.measured(processes.pss([big.pid]) / 1e6, f"{objects} objects")


@asynccontextmanager
async def _server(home: Path, pods: int) -> AsyncIterator[Server]:
    lab = LabDir(home / f"bench-{pods}")
    make_private(lab.root)
    folder = lab.cluster(CLUSTER)
    topology = Topology.model_validate({"name": lab.name, "clusters": {CLUSTER: {}}})
    pki.ensure(folder.pki, addresses(topology).clusters[0])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        kubeconfig.write(lab, {CLUSTER: (url, url)})
        descriptor = listener.fileno()
        argv = [sys.executable, "-m", "lab.pocket.apiserver.main", "--name", CLUSTER]
        argv += ["--data", str(folder.root), "--pki", str(folder.pki), "--cache", str(home)]
        argv += ["--listen-fd", str(descriptor)]
        served = asyncio.create_task(run(argv, timeout=MOST_SECONDS, pass_fds=[descriptor]))
        try:
            async with await Client.from_kubeconfig(lab.kubeconfig, lab.context(CLUSTER)) as client:
                ready = asyncio.create_task(_prepare(client))
                await asyncio.wait([ready, served], return_when=asyncio.FIRST_COMPLETED)
                await (served if served.done() else ready)
                await _fill(client, pods)
                yield Server(client, processes.started_with(str(folder.pki)), pods)
        finally:
            served.cancel()
            await asyncio.gather(served, return_exceptions=True)


async def _prepare(client: Client) -> None:
    async def answers() -> bool:
        return bool(await client.raw(Request("GET", "/readyz", timeout=1.0)))

    await until(answers, timeout=READY_SECONDS, what="the API server of the bench")
    await client.create(NAMESPACES, {"metadata": {"name": SPACE}})
    await client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": SPACE}})


async def _fill(client: Client, pods: int) -> None:
    groups = iter(range(pods // crowd.REPLICAS))

    async def create() -> None:
        for number in groups:
            for obj in crowd.group(number):
                await client.create(kind_of(obj), obj)

    await together(*(create() for _ in range(AT_ONCE)))


async def _cost(server: Server) -> float:
    """Seconds of processor per write, by status reports of pods spread over all that there are."""
    before = processes.cpu_seconds([server.pid])
    for number in range(COSTED):
        await _report(server, number * server.pods // COSTED)
    return (processes.cpu_seconds([server.pid]) - before) / COSTED


async def _report(server: Server, number: int) -> str:
    """What a node does: tell a pod's status, which is another each time. Returns the revision."""
    news = crowd.running(next(server.beats))
    name = f"app-{number // crowd.REPLICAS:04}-{number:05}"
    return resource_version(await server.client.patch(PODS, name, news, SPACE, sub="status"))


@dataclass
class Watcher:
    """One open watch of pods; when which revision arrived."""

    node: str = ""
    """Only this node's pods, as a kubelet watches; all of them when empty."""
    seen: dict[str, float] = field(default_factory=dict)

    async def read(self, content: aiohttp.StreamReader) -> None:
        async for line in content:
            # Not parsed as JSON: two hundred readers share a core with the writer.
            revision = line.partition(b'"resourceVersion":"')[2].partition(b'"')[0]
            self.seen[revision.decode()] = time.monotonic()


@asynccontextmanager
async def _watcher(client: Client, number: int) -> AsyncIterator[Watcher]:
    watcher = Watcher(crowd.node(number) if number % 2 else "")
    newest = await client.patch(NAMESPACES, SPACE, {"metadata": {"labels": {"watcher": str(number)}}})
    query = {"watch": "1", "resourceVersion": resource_version(newest)}
    if watcher.node:
        query["fieldSelector"] = f"spec.nodeName={watcher.node}"
    answer = await client.open(Request("GET", PODS.path(SPACE), query, timeout=None))
    reading = asyncio.create_task(watcher.read(answer.content))
    try:
        yield watcher
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        answer.close()


async def _latencies(server: Server, crowded: Sequence[Watcher]) -> tuple[list[float], list[float]]:
    """Milliseconds of each write, and from its start to each watcher that it concerns."""
    writes, starts = [], {}
    for number in range(WRITES):
        start = time.monotonic()
        revision = await _report(server, number)
        writes.append((time.monotonic() - start) * 1000)
        starts[revision] = (start, crowd.node(number))

        async def told(revision: str = revision, node: str = crowd.node(number)) -> bool:
            return all(revision in one.seen for one in crowded if one.node in ("", node))

        await until(told, timeout=EVENT_SECONDS, what=f"event {revision} at every watcher", every=0.002)
    events = [
        (one.seen[revision] - start) * 1000
        for revision, (start, node) in starts.items()
        for one in crowded
        if one.node in ("", node)
    ]
    return writes, events


def _spread(milliseconds: Sequence[float]) -> str:
    return f"median {percentile(milliseconds, 0.5):.1f} ms, most {max(milliseconds):.1f} ms"
