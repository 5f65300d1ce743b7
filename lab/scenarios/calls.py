"""Fetches what the load generators recorded of every call, through the clusters' API servers.

`lab.ops.run` calls it before a run (steady state) and after it, when all faults are healed.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from lab.apps.loadgen.records import CAPACITY, Record
from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.wait import until
from lab.kube.client import Client, Request
from lab.kube.kinds import PODS
from lab.kube.objects import Object, status
from lab.observe.gather import TRAFFIC_APP, TRAFFIC_NAMESPACE, proxy_path
from lab.scenarios.course import Calls

SETTLED_WITHIN = 15.0
"""Seconds for calls under way to end: their time limit of 5 and slack for a machine under load."""

Connect = Callable[[str], Awaitable[Client]]


async def fetch(connect: Connect, clusters: Iterable[str], since: float, settled: float = 0.0) -> Calls:
    """All calls from these clusters that were over at `since` or later.

    With `settled` it first waits until every call that was due by then has an outcome, so that a call
    that hangs is not left out. Raises LabError when records are already lost, TimedOut when calls hang.
    """
    found: dict[str, list[Record]] = {}
    for cluster, records in await together(*(_of(connect, one, since, settled) for one in clusters)):
        for record in records:
            found.setdefault(f"{cluster}/{record.target}", []).append(record)
    return found


async def _of(connect: Connect, cluster: str, since: float, settled: float) -> tuple[str, list[Record]]:
    async with await connect(cluster) as client:
        pods = await client.list(PODS, TRAFFIC_NAMESPACE, labels=f"app={TRAFFIC_APP}")
        records: list[Record] = []
        for pod in pods:
            if status(pod).get("phase") == "Running":
                await _settle(client, pod, cluster, settled)
                records += await _read(client, pod, since)
    return cluster, records


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
