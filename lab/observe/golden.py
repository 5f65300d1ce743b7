"""What a workload's proxies measured of the requests that came in: rate, success, latency, mutual TLS. Pure.

The figures are those of `linkerd viz stat`, of two scrapes where Viz asks Prometheus for many.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from lab.kube import objects
from lab.kube.objects import Object
from lab.observe.readings import CONNECTIONS, LATENCIES, Reading, Series, increases, quantile
from lab.observe.state import Problem, encoded

PROXY = "linkerd-proxy"
_HASH = "pod-template-hash"


@dataclass(frozen=True, order=True)
class Owner:
    """The workload that a pod belongs to, in its cluster."""

    cluster: str
    namespace: str
    name: str
    kind: str


@dataclass(frozen=True)
class Pod:
    """A running pod; `reading` is None for one that has no proxy or whose proxy did not answer."""

    uid: str
    owner: Owner
    is_meshed: bool
    reading: Reading | None = None


@dataclass(frozen=True)
class Workload:
    """A meshed workload's figures over the last window; None where nothing was measured."""

    cluster: str
    namespace: str
    kind: str
    name: str
    pods: int
    meshed: int
    answered: int
    """How many of the meshed pods' proxies did."""
    rate: float | None = None
    """HTTP responses per second."""
    success: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    mtls: float | None = None
    """The share of requests whose client proved who it is."""
    connections: int | None = None
    """Open TCP connections of clients, whatever they carry."""


@dataclass(frozen=True)
class Stat:
    """What `lab stat` says: `time` is Unix time, `window` in seconds."""

    lab: str
    time: float
    window: float
    workloads: tuple[Workload, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Clusters and proxies that could not be read."""

    def to_json(self) -> dict[str, Any]:
        """The contract form, described by `stat.schema.json`."""
        found: dict[str, Any] = encoded(self)
        return found


def owner(cluster: str, pod: Object) -> Owner:
    """The Deployment behind a ReplicaSet that bears its hash, else what controls the pod, else the pod."""
    found = objects.controller_of(pod) or {"kind": "Pod", "name": objects.name(pod)}
    kind, name = str(found["kind"]), str(found["name"])
    ending = f"-{objects.labels(pod).get(_HASH, '')}"
    if kind == "ReplicaSet" and ending != "-" and name.endswith(ending):
        kind, name = "Deployment", name.removesuffix(ending)
    return Owner(cluster, objects.namespace(pod), name, kind)


def is_meshed(pod: Object) -> bool:
    """Whether a proxy was injected, as a container or as a sidecar that starts before them."""
    spec = objects.spec(pod)
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return any(container.get("name") == PROXY for container in containers)


@dataclass
class _Sum:
    """What the proxies of one workload counted together."""

    rate: float = 0.0
    responses: float = 0.0
    good: float = 0.0
    meshed: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)

    def add(self, earlier: Reading, later: Reading) -> None:
        seconds = later.time - earlier.time
        for (name, pairs), count in increases(earlier, later):
            labels = dict(pairs)
            if name == LATENCIES:
                bound = float(labels["le"])
                self.buckets[bound] = self.buckets.get(bound, 0.0) + count
            else:
                self.rate += count / seconds
                self.responses += count
                self.good += count if labels.get("classification") == "success" else 0
                self.meshed += count if labels.get("tls") == "true" else 0


def workloads(earlier: Mapping[str, Reading], pods: Iterable[Pod]) -> tuple[Workload, ...]:
    """The figures of each workload that has a meshed pod, since the `earlier` readings of pods by uid.
    Clusters keep their order.

    A pod that was not read before counts from the next time on: when its counters began, nobody knows.
    """
    found = list(pods)
    place = {cluster: n for n, cluster in enumerate(dict.fromkeys(pod.owner.cluster for pod in found))}
    found.sort(key=lambda pod: (place[pod.owner.cluster], pod.owner))
    rows = (_workload(earlier, who, list(mine)) for who, mine in groupby(found, lambda pod: pod.owner))
    return tuple(row for row in rows if row.meshed)


def _workload(earlier: Mapping[str, Reading], who: Owner, pods: list[Pod]) -> Workload:
    read = [(pod.uid, pod.reading) for pod in pods if pod.reading is not None]
    pairs = [
        (earlier[uid], later) for uid, later in read if uid in earlier and later.time > earlier[uid].time
    ]
    total = _Sum()
    for before, later in pairs:
        total.add(before, later)
    connections = [value for _, later in read for series, value in later.values.items() if _is_client(series)]
    some = total.responses > 0
    return Workload(
        cluster=who.cluster,
        namespace=who.namespace,
        kind=who.kind,
        name=who.name,
        pods=len(pods),
        meshed=sum(pod.is_meshed for pod in pods),
        answered=len(read),
        rate=total.rate if pairs else None,
        success=total.good / total.responses if some else None,
        p50_ms=quantile(0.5, total.buckets) if some else None,
        p99_ms=quantile(0.99, total.buckets) if some else None,
        mtls=total.meshed / total.responses if some else None,
        connections=round(sum(connections)) if read else None,
    )


def _is_client(series: Series) -> bool:
    return series[0] == CONNECTIONS and ("peer", "src") in series[1]
