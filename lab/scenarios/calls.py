"""Fetches what the load generators recorded of every call, through the clusters' API servers.

`lab.ops.run` calls it before a run (steady state) and after it, when all faults are healed.
"""

import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.apps.loadgen.records import CAPACITY, Record
from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.wait import until
from lab.kube.client import Client, Request
from lab.kube.kinds import PODS
from lab.kube.objects import Object, status
from lab.observe.gather import TRAFFIC_APP, TRAFFIC_NAMESPACE, proxy_path
from lab.scenarios.clocks import Clock, Look, clock
from lab.scenarios.course import Calls

SETTLED_WITHIN = 15.0
"""Seconds for calls under way to end: their time limit of 5 and slack for a machine under load."""

LOOKS = 3
"""How often a load generator is asked for the time: a single answer may have been held up."""

Connect = Callable[[str], Awaitable[Client]]


@dataclass(frozen=True)
class Fetched:
    """What was recorded, in the time of this machine."""

    calls: Calls
    clocks: Mapping[str, float]
    """By how much the times of a cluster may be wrong, in seconds; none where they share our clock."""


async def fetch(
    connect: Connect, clusters: Iterable[str], since: float, run: tuple[float, float] | None = None
) -> Fetched:
    """All calls from these clusters that were over at `since` or later.

    With the begin and end of a `run` it first waits until every call that was due by the end has an outcome,
    so that a call that hangs is not left out. Raises LabError for lost records, TimedOut when calls hang.
    """
    found: dict[str, list[Record]] = {}
    clocks: dict[str, float] = {}
    for cluster, (records, seen) in await together(*(_of(connect, one, since, run) for one in clusters)):
        for record in records:
            found.setdefault(f"{cluster}/{record.target}", []).append(record)
        if seen.error:
            clocks[cluster] = seen.error
    return Fetched(found, clocks)


async def _of(
    connect: Connect, cluster: str, since: float, run: tuple[float, float] | None
) -> tuple[str, tuple[list[Record], Clock]]:
    async with await connect(cluster) as client:
        pods = await client.list(PODS, TRAFFIC_NAMESPACE, labels=f"app={TRAFFIC_APP}")
        records: list[Record] = []
        seen = Clock()
        for pod in pods:
            if status(pod).get("phase") == "Running":
                if run and started(pod) > run[0]:
                    raise LabError(
                        f"the load generator in {cluster} was restarted in the run; what it recorded is lost",
                        remedy=f"leave traffic from {cluster} out where a fault kills its node",
                    )
                seen = clock([await _look(client, pod) for _ in range(LOOKS)])
                await _settle(client, pod, cluster, run[1] + seen.ahead if run else 0.0)
                records += map(seen.ours, await _read(client, pod, since + seen.ahead))
    return cluster, (records, seen)


def started(pod: Object) -> float:
    """Unix time at which the last of a pod's containers began to run; 0 before that. Pure."""
    running = [
        one.get("state", {}).get("running") or {} for one in status(pod).get("containerStatuses") or ()
    ]
    times = [datetime.fromisoformat(one["startedAt"]).timestamp() for one in running if "startedAt" in one]
    return max(times, default=0.0)


async def _look(client: Client, pod: Object) -> Look:
    asked = time.time()
    body = await client.raw(Request("GET", proxy_path(pod, 8080, "/stats"), {"window": "0.1"}))
    return Look(asked, json.loads(body)["time"], time.time())


async def _settle(client: Client, pod: Object, cluster: str, wanted: float) -> None:
    async def is_settled() -> bool:
        body = await client.raw(Request("GET", proxy_path(pod, 8080, "/stats")))
        targets: Mapping[str, Mapping[str, Any]] = json.loads(body)["targets"]
        return all(figures["settled"] >= wanted for figures in targets.values())

    if wanted:
        what = f"the calls of the load generator in {cluster} end"
        await until(is_settled, timeout=SETTLED_WITHIN, what=what, every=0.1)


async def _read(client: Client, pod: Object, since: float) -> list[Record]:
    query = {"from": f"{since:.4f}"}
    body = await client.raw(Request("GET", proxy_path(pod, 8080, "/requests"), query, timeout=30))
    records = [Record.parse(json.loads(line)) for line in body.splitlines()]
    if len(records) >= CAPACITY:
        raise LabError(
            f"this run made more than the {CAPACITY} calls that the load generator on {client.server} keeps",
            remedy="make the scenario shorter, or lower the rates of its traffic",
        )
    return records
