"""Asks every cluster's API server for the facts that `build` judges, all at once, each with a hard
limit.

`status`, `up` and the TUI's feed call it. A dead or paused cluster costs at most `LIMIT` seconds and
spoils nothing but its own part; it decides nothing about health. Load generators and mirrors are read
through the API server's pod proxy, so only the API server need be reachable from here.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from lab.base.errors import LabError
from lab.kube import objects
from lab.kube.client import Client, Request
from lab.kube.errors import NotFound
from lab.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    LINKS,
    LINKS_2_14,
    NODES,
    PODS,
    SECRETS,
    SERVICES,
    Kind,
)
from lab.kube.objects import Object
from lab.observe.facts import ClusterFacts, GatewayProbe, KubeFacts, Scope, Trust
from lab.observe.metrics import gateway_probes

LIMIT = 1.5
PROXY_LIMIT = 0.8
TRAFFIC_NAMESPACE, TRAFFIC_APP = "traffic", "loadgen"
MIRROR_NAMESPACE, MIRROR_ADMIN_PORT = "linkerd-multicluster", 9999
T = TypeVar("T")
Connect = Callable[[str], Awaitable[Client]]


class Gatherer:
    """Keeps a connection per cluster between rounds; close it when done."""

    def __init__(self, connect: Connect, window: float = 5.0) -> None:
        self._connect = connect
        self._clients: dict[str, Client] = {}
        self._window = window

    async def gather(self, clusters: Iterable[ClusterFacts]) -> dict[str, KubeFacts]:
        """The Kubernetes facts of each cluster, within `LIMIT` seconds whatever state they are in."""
        asked = list(clusters)
        answers = await asyncio.gather(*(self._cluster(fact) for fact in asked))
        return {fact.name: answer for fact, answer in zip(asked, answers, strict=True)}

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        # All at once: a program that ends may have no time for one after the other.
        await asyncio.gather(*(client.close() for client in clients.values()))

    async def ask(self, fact: ClusterFacts, read: Callable[[Client], Awaitable[T]]) -> T | str:
        """What `read` gets from the cluster's API server, or in words why it gets nothing."""
        if fact.paused:
            return "the cluster is paused"
        if not fact.api_running:
            return "its API server does not run"
        if not fact.running:
            return "its node does not run"
        limit = LIMIT * fact.scope.patience
        try:
            async with asyncio.timeout(limit):
                return await read(await self._client(fact.name))
        except TimeoutError:
            return f"no answer within {limit:g} s"
        except (LabError, OSError) as error:
            return str(error)

    async def _cluster(self, fact: ClusterFacts) -> KubeFacts:
        async def objects_of(client: Client) -> tuple[Client, KubeFacts]:
            return client, await read_objects(client, fact.scope)

        answer = await self.ask(fact, objects_of)
        if isinstance(answer, str):
            return KubeFacts(error=answer)
        return await read_programs(*answer, self._window, PROXY_LIMIT * fact.scope.patience)

    async def _client(self, cluster: str) -> Client:
        if cluster not in self._clients:
            self._clients[cluster] = await self._connect(cluster)
        return self._clients[cluster]


async def read_objects(client: Client, scope: Scope) -> KubeFacts:
    """Everything that is an object; the API server's failure is raised."""
    version, trust, lists = await asyncio.gather(
        client.raw(Request("GET", "/version")),
        _trust(client) if scope.mesh == "lab" else _nothing(),
        asyncio.gather(
            client.list(NODES),
            within(client, PODS, scope),
            within(client, DEPLOYMENTS, scope),
            within(client, EVENTS, scope),
            within(client, SERVICES, scope, labels="mirror.linkerd.io/mirrored-service=true"),
            links_of(client) if scope.mesh != "none" else _no_objects(),
        ),
    )
    nodes, pods, deployments, events, mirrors, links = map(tuple, lists)
    if scope.namespaces is not None:  # other nodes are none of the lab's business
        hosts = {objects.spec(pod).get("nodeName") for pod in pods}
        nodes = tuple(node for node in nodes if not hosts - {None} or objects.name(node) in hosts)
    return KubeFacts(
        version=str(json.loads(version).get("gitVersion", "")),
        nodes=nodes,
        pods=pods,
        deployments=deployments,
        links=links,
        mirrors=mirrors,
        events=events,
        trust=trust,
    )


async def within(client: Client, kind: Kind, scope: Scope, labels: str = "") -> list[Object]:
    """The objects of a kind that are the lab's business."""
    spaces = ("",) if scope.namespaces is None else scope.namespaces
    answers = await asyncio.gather(*(client.list(kind, space, labels) for space in spaces))
    return [obj for answer in answers for obj in answer]


async def _nothing() -> None:
    return None


async def _no_objects() -> list[Object]:
    return []


async def _trust(client: Client) -> Trust | None:
    """The mesh's certificates; the issuer's key, which is in the same Secret, goes no further."""
    try:
        roots = await client.get(CONFIG_MAPS, "linkerd-identity-trust-roots", "linkerd")
        issuer = await client.get(SECRETS, "linkerd-identity-issuer", "linkerd")
    except NotFound:
        return None
    encoded = str((issuer.get("data") or {}).get("crt.pem", ""))
    anchors = str((roots.get("data") or {}).get("ca-bundle.crt", ""))
    return Trust(anchors, base64.b64decode(encoded).decode(errors="replace"))


async def links_of(client: Client) -> list[Object]:
    """A cluster's Links, in the newest version it serves; none where no mesh is installed yet."""
    for kind in (LINKS, LINKS_2_14):
        try:
            return await client.list(kind)
        except NotFound:
            continue
    return []


async def read_programs(client: Client, facts: KubeFacts, window: float, limit: float) -> KubeFacts:
    """Add what load generators and mirrors tell about themselves; one silent for `limit` seconds is noted."""
    generators = [p for p in facts.pods if _runs(p, TRAFFIC_NAMESPACE) and is_generator(p)]
    mirrors = [p for p in facts.pods if _runs(p, MIRROR_NAMESPACE) and is_mirror(p)]
    traffic, measured = await asyncio.gather(
        each(generators, lambda pod: _traffic(client, pod, window), limit),
        each(mirrors, lambda pod: _probes(client, pod), limit),
    )
    probes: dict[str, GatewayProbe] = {}
    for answer in measured[0]:
        probes.update(answer)
    unread = (f"{objects.name(pod)}: {why}" for pod, why in (*traffic[1], *measured[1]))
    return replace(facts, traffic=tuple(traffic[0]), probes=probes, unread=tuple(unread))


def is_generator(pod: Object) -> bool:
    return objects.labels(pod).get("app") == TRAFFIC_APP


def is_mirror(pod: Object) -> bool:
    name = objects.name(pod)
    return name.startswith(("controller-", "linkerd-service-mirror-"))


def _runs(pod: Object, namespace: str) -> bool:
    return objects.namespace(pod) == namespace and objects.status(pod).get("phase") == "Running"


async def each(
    pods: Iterable[Object], read: Callable[[Object], Awaitable[T]], limit: float
) -> tuple[list[T], list[tuple[Object, str]]]:
    """Read all pods at once, each for at most `limit` seconds; the answers, and why the others gave none."""

    async def one(pod: Object) -> tuple[list[T], list[tuple[Object, str]]]:
        try:
            async with asyncio.timeout(limit):
                return [await read(pod)], []
        except (TimeoutError, LabError, OSError, ValueError) as error:
            return [], [(pod, str(error) or f"no answer within {limit:g} s")]

    found = await asyncio.gather(*map(one, pods))
    return [a for answers, _ in found for a in answers], [pod for _, silent in found for pod in silent]


def proxy_path(pod: Object, port: int, path: str) -> str:
    """The API server's path to an HTTP port of a pod."""
    return f"{PODS.path(objects.namespace(pod), objects.name(pod))}:{port}/proxy{path}"


async def _traffic(client: Client, pod: Object, window: float) -> Mapping[str, Any]:
    path = proxy_path(pod, 8080, "/stats")
    body = await client.raw(Request("GET", path, {"window": f"{window:g}"}))
    answer: Mapping[str, Any] = json.loads(body)
    return answer


async def _probes(client: Client, pod: Object) -> Mapping[str, GatewayProbe]:
    path = proxy_path(pod, MIRROR_ADMIN_PORT, "/metrics")
    return gateway_probes((await client.raw(Request("GET", path, accept="text/plain"))).decode())
