"""How soon the other cluster's proxies act on a pod that became Ready or is going.

A prober in west keeps asking a flat mirror; in east one pod stays and another comes and goes. Ready counts
from the moment the API says so to the first answer by the new pod; going counts from the deletion mark to
the last answer by the old one, which goes on answering until it is killed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from lab.base.errors import CheckFailed
from lab.base.wait import pause, until
from lab.kube.client import Client, Request
from lab.kube.kinds import PODS, kind_of
from lab.kube.objects import Object, is_deleting, is_pod_ready
from lab.kube.watch import Scope, watch
from lab.ops.bench import chain, objects
from lab.ops.bench.model import Figure, Row, percentile
from lab.ops.bench.objects import SPACE
from lab.ops.bench.scene import Scene, ready
from lab.plan.workloads import export_labels

CHANGES = 30
FIGURE = Figure("pod Ready or gone → remote proxies use it (p99)", 150, "ms")
APP = "moving"
PHASE_SECONDS = 20.0
SETTLE = 0.3


@dataclass(frozen=True)
class Change:
    """A pod became Ready (`came`) or was marked for deletion, at a monotonic time."""

    pod: str
    came: bool
    at: float


@dataclass(frozen=True)
class Answer:
    """Who answered the prober, when."""

    at: float
    pod: str


async def measure(scene: Scene) -> AsyncIterator[Row]:
    """The one row, in a lab that holds the scene."""
    await _prepare(scene)
    changes = [change async for change in _changes(scene.east)]
    answers = parse(await _log(scene.west))
    delays = [delay(change, answers) * 1000 for change in changes]
    came = [d for change, d in zip(changes, delays, strict=True) if change.came]
    went = [d for change, d in zip(changes, delays, strict=True) if not change.came]
    failed = sum(answer.pod.startswith("-") for answer in answers)
    note = (
        f"{len(delays)} changes; Ready: {_summary(came)}; gone: {_summary(went)}; "
        f"{failed} of {len(answers)} requests failed"
    )
    yield FIGURE.measured(percentile(delays, 0.99), note)


def parse(log: str) -> list[Answer]:
    """The prober's log; a last line that was cut off is left out."""
    rows = (line.split() for line in log.splitlines())
    return [Answer(float(row[0]), row[1]) for row in rows if len(row) == 2]


def delay(change: Change, answers: Iterable[Answer]) -> float:
    """Seconds from a change until the prober saw its effect. Raises CheckFailed if it never did.

    Answers of a pod that never come again within the log count as gone; a negative delay (the proxies
    were told before we were) is none.
    """
    theirs = [answer.at for answer in answers if answer.pod == change.pod]
    if not theirs:
        raise CheckFailed(f"pod {change.pod} never answered the prober")
    return max((theirs[0] if change.came else theirs[-1]) - change.at, 0.0)


async def _prepare(scene: Scene) -> None:
    for obj in (
        objects.service(APP, export_labels(["flat"]), app=APP),
        objects.configuration("steady", chain.backend("steady\n")),
        _pod("steady"),
    ):
        await _apply(scene.east, obj)
    await ready(scene.east, "steady")
    container = {"name": "prober", "image": objects.PROBER, "args": [f"http://{APP}-east.{SPACE}"]}
    await _apply(scene.west, objects.pod("prober", [container], meshed=True))
    await ready(scene.west, "prober")

    async def answers() -> bool:
        return any(answer.pod == "steady" for answer in parse(await _log(scene.west)))

    await until(answers, timeout=PHASE_SECONDS, what="answers to the prober")


async def _changes(east: Client) -> AsyncIterator[Change]:
    """Let pods come and go, one at a time."""
    for number in range(CHANGES // 2):
        name = f"moving-{number}"
        await _apply(east, objects.configuration(name, chain.backend(f"{name}\n")))
        seen = _Sightings(name)
        async with asyncio.timeout(PHASE_SECONDS):
            watching = asyncio.create_task(seen.follow(east))
            try:
                await _apply(east, _pod(name))
                await seen.came.wait()
                yield Change(name, True, seen.came_at)
                await pause(SETTLE)  # let the prober be answered by it
                await east.delete(PODS, name, SPACE)
                await seen.went.wait()
                yield Change(name, False, seen.went_at)
            finally:
                watching.cancel()


class _Sightings:
    """When a pod was first seen Ready, and first seen going, by a watch."""

    def __init__(self, pod: str) -> None:
        self._pod = pod
        self.came, self.went = asyncio.Event(), asyncio.Event()
        self.came_at = self.went_at = 0.0

    async def follow(self, client: Client) -> None:
        scope = Scope(PODS, SPACE, fields=f"metadata.name={self._pod}")
        async for event in watch(client, scope):
            if event.type in ("ADDED", "MODIFIED"):
                self._take(event.object, time.monotonic())

    def _take(self, pod: Object, now: float) -> None:
        if is_pod_ready(pod) and not self.came.is_set():
            self.came_at = now
            self.came.set()
        if is_deleting(pod) and not self.went.is_set():
            self.went_at = now
            self.went.set()


def _pod(name: str) -> Object:
    made = objects.pod(name, [objects.envoy(name, "app", objects.STUBBORN)], meshed=True)
    made["metadata"]["labels"] = {"app": APP}
    return made


async def _log(west: Client) -> str:
    path = PODS.path(SPACE, "prober", "log")
    return (await west.raw(Request("GET", path, {"container": "prober"}))).decode()


async def _apply(client: Client, obj: Object) -> Object:
    return await client.apply(kind_of(obj), obj, manager="bench")


def _summary(delays: list[float]) -> str:
    return f"p50 {percentile(delays, 0.5):.0f}, max {max(delays):.0f} ms"
