"""Scrapes the proxies of all meshed pods at once, through each cluster's API server.

`lab stat` and the terminal interface call it, never `status`: it asks one program per pod. Like `gather` it
judges nothing, and a cluster or proxy that is silent spoils nothing but its own part.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from lab.kube import objects
from lab.kube.client import Client, Request
from lab.kube.kinds import PODS
from lab.kube.objects import Object
from lab.observe.facts import ClusterFacts
from lab.observe.gather import Gatherer, each, proxy_path, within
from lab.observe.golden import PROXY, Pod, is_meshed, owner
from lab.observe.readings import ADMIN_PORT, Reading, reading
from lab.observe.state import Problem

SCRAPE_LIMIT = 3.0
"""Seconds for one proxy: nobody's look at the lab waits for it, unlike for what `gather` asks."""


@dataclass(frozen=True)
class Scrape:
    """All running pods, those that are meshed with what their proxies say; and what could not be read."""

    pods: tuple[Pod, ...] = ()
    problems: tuple[Problem, ...] = ()


async def scrape(
    gatherer: Gatherer, clusters: Iterable[ClusterFacts], namespaces: tuple[str, ...] = ()
) -> Scrape:
    """One scrape of every proxy in these clusters, or in some namespaces of them."""
    found = await asyncio.gather(*(_cluster(gatherer, fact, namespaces) for fact in clusters))
    return Scrape(
        tuple(pod for one in found for pod in one.pods),
        tuple(problem for one in found for problem in one.problems),
    )


async def _cluster(gatherer: Gatherer, fact: ClusterFacts, namespaces: tuple[str, ...]) -> Scrape:
    async def running(client: Client) -> tuple[Client, list[Object]]:
        pods = [pod for pod in await within(client, PODS, fact.scope) if _runs(pod)]
        return client, [pod for pod in pods if not namespaces or objects.namespace(pod) in namespaces]

    answer = await gatherer.ask(fact, running)
    if isinstance(answer, str):
        return Scrape(problems=(Problem(f"cluster {fact.name}", answer, "lab status"),))
    client, pods = answer
    meshed = [pod for pod in pods if is_meshed(pod)]
    read, silent = await each(meshed, lambda pod: _read(client, pod), SCRAPE_LIMIT * fact.scope.patience)
    readings = dict(read)
    return Scrape(
        tuple(
            Pod(objects.uid(pod), owner(fact.name, pod), is_meshed(pod), readings.get(objects.uid(pod)))
            for pod in pods
        ),
        tuple(_silent(fact.name, pod, why) for pod, why in silent),
    )


def _runs(pod: Object) -> bool:
    return objects.status(pod).get("phase") == "Running" and not objects.is_deleting(pod)


def _silent(cluster: str, pod: Object, why: str) -> Problem:
    name = f"{cluster}/{objects.namespace(pod)}/{objects.name(pod)}"
    return Problem(f"proxy of {name}", why, f"lab logs {name} --container {PROXY}")


async def _read(client: Client, pod: Object) -> tuple[str, Reading]:
    path = proxy_path(pod, int(ADMIN_PORT), "/metrics")
    text = await client.raw(Request("GET", path, accept="text/plain"))
    return objects.uid(pod), reading(text.decode(errors="replace"), time.monotonic())
