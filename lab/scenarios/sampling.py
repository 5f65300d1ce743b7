"""Looks at the probes of a scenario again and again, and notes what each saw when.

`lab.ops.run` keeps it open from before the steady state to the end of the run. A look that fails is a
sample without a value, with the reason: a probe never ends a run.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, Self

from lab.base import jsonpath, process
from lab.base.errors import LabError
from lab.base.wait import pause
from lab.kube.client import Client, Request
from lab.kube.kinds import KNOWN, PODS
from lab.kube.manifests import resolve
from lab.kube.objects import Object, status
from lab.observe.gather import proxy_path
from lab.observe.metrics import series
from lab.observe.mirrored import services
from lab.scenarios.course import Sample
from lab.topology.probes import Metric, ObjectOf, Output, Probe

LIMIT = 2.0
"""Seconds for one look at a cluster."""
PROGRAM_LIMIT = 10.0
"""Seconds for the program of a probe."""

Value = float | str
Connect = Callable[[str], Awaitable[Client]]


class Sampler:
    """Takes samples while it is open; `taken` has them by probe, oldest first."""

    def __init__(self, connect: Connect, probes: Mapping[str, Probe], env: Mapping[str, str]) -> None:
        self.taken: dict[str, list[Sample]] = {name: [] for name in probes}
        self._connect, self._probes, self._env = connect, probes, env
        self._clients: dict[str, Client] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow(name)) for name in self._probes]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._clients:
            await self._clients.popitem()[1].close()
        defects = [end for end in ends if isinstance(end, Exception)]
        if defects and error is None:
            raise defects[0]

    async def _follow(self, name: str) -> None:
        probe = self._probes[name]
        due = time.monotonic()
        while True:
            self.taken[name].append(await self._sample(probe))
            due = max(due + probe.every, time.monotonic())
            await pause(due - time.monotonic())

    async def _sample(self, probe: Probe) -> Sample:
        try:
            async with asyncio.timeout(PROGRAM_LIMIT if probe.output else LIMIT):
                value = await self._look(probe)
        except TimeoutError:
            return Sample(time.time(), None, "no answer in time")
        except (LabError, OSError, ValueError) as error:
            return Sample(time.time(), None, str(error))
        return Sample(time.time(), value)

    async def _look(self, probe: Probe) -> Value:
        if probe.output:
            return await _output(probe.output, self._env)
        if probe.metric:
            return await _metric(await self._client(probe.metric.cluster), probe.metric)
        if probe.field:
            return listed(jsonpath.find(await self._object(probe.field), probe.field.path))
        assert probe.condition, "check_measures asks for one of them"
        return condition(await self._object(probe.condition), probe.condition.type)

    async def _object(self, wanted: ObjectOf) -> Object:
        client = await self._client(wanted.cluster)
        group, _, kind = wanted.kind.rpartition("/")
        known = [one for one in KNOWN if one.kind == kind]
        found = known[0] if known and not group else await resolve(client, _head(group, kind, wanted.name))
        return await client.get(found, wanted.name, wanted.namespace)

    async def _client(self, cluster: str) -> Client:
        if cluster not in self._clients:
            self._clients[cluster] = await self._connect(cluster)
        return self._clients[cluster]


def _head(group: str, kind: str, name: str) -> Object:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}}


def condition(obj: Object, kind: str) -> str:
    """The status of a condition, also of a route's for its parents and of a link's for its services; Unknown
    when there is none. Pure."""
    holders = [status(obj), *(status(obj).get("parents") or ()), *services(obj)]
    found = [one for holder in holders for one in holder.get("conditions") or () if one.get("type") == kind]
    return ",".join(sorted({str(one.get("status")) for one in found})) or "Unknown"


def listed(values: Iterable[Any]) -> Value:
    """JSON values as one: a number stays one, several are text with commas, none is "none". Pure."""
    found = list(values)
    if len(found) == 1 and isinstance(found[0], int | float) and not isinstance(found[0], bool):
        return float(found[0])
    return ",".join(one if isinstance(one, str) else json.dumps(one) for one in found) or "none"


def total(text: str, metric: Metric) -> float | None:
    """The sum of the series of a Prometheus text that fit; None when there is none. Pure."""
    found = [
        value
        for labels, value in series(text, metric.name)
        if all(fnmatchcase(labels.get(key, ""), wanted) for key, wanted in metric.labels.items())
    ]
    return float(sum(found)) if found else None


async def _metric(client: Client, metric: Metric) -> float:
    pods = await client.list(PODS, metric.namespace, labels=metric.pods)
    running = [pod for pod in pods if status(pod).get("phase") == "Running"]
    sums = []
    for pod in running:
        request = Request(
            "GET", proxy_path(pod, metric.port, metric.path), accept="text/plain", timeout=LIMIT
        )
        sums.append(total((await client.raw(request)).decode(), metric))
    known = [one for one in sums if one is not None]
    if not known:
        raise LabError(f"no series {metric.name} in {len(running)} pods {metric.namespace}/{metric.pods}")
    return float(sum(known))


async def _output(wanted: Output, env: Mapping[str, str]) -> Value:
    said = (await process.run(wanted.run, timeout=PROGRAM_LIMIT, env=env)).stdout.strip()
    if wanted.path is not None:
        return listed(jsonpath.find(json.loads(said), wanted.path))
    try:
        return float(said)
    except ValueError:
        return said
