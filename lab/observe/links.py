"""Judges the links: what the topology wants, what the Link objects say, what the mirrors measured.
Pure.

A link is named by its two ends; it lives in the source cluster (`from`), so a source that does not answer
makes it unknown, not down.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from lab.kube import objects
from lab.kube.links import link_target, modes_of
from lab.kube.objects import Object
from lab.observe.facts import GatewayProbe, KubeFacts, Observation, WantedLink
from lab.observe.mirrored import unmirrored
from lab.observe.state import Cluster, Fault, Link, LinkState

Judgement = tuple[LinkState, str]
ACTIVE = ("applying", "active", "overdue")
SILENT = ("unreachable", "down", "paused")
REMOTE_DISCOVERY = "multicluster.linkerd.io/remote-discovery"
CLUSTER_NAME = "mirror.linkerd.io/cluster-name"


def links(seen: Observation, clusters: Mapping[str, Cluster]) -> tuple[Link, ...]:
    """Every wanted link in its order, then Link objects nobody asked for."""
    found = {(name, link_target(obj)): obj for name, facts in seen.kube.items() for obj in facts.links}
    wanted = {(link.from_, link.to): link for link in seen.links}
    extra = {end: WantedLink(*end, modes=modes_of(obj)) for end, obj in found.items() if end not in wanted}
    return tuple(_link(link, found.get(end), seen, clusters) for end, link in {**wanted, **extra}.items())


def _link(wanted: WantedLink, obj: Object | None, seen: Observation, clusters: Mapping[str, Cluster]) -> Link:
    kube = seen.kube.get(wanted.from_, KubeFacts(error="not asked"))
    hits = [f for f in seen.faults if f.state in ACTIVE and touches(f, wanted.from_, wanted.to)]
    modes = modes_of(obj) if obj is not None else wanted.modes
    probe = kube.probes.get(wanted.to) if "gateway" in modes else None
    source, target = clusters.get(wanted.from_), clusters.get(wanted.to)
    state, reason = _judge(_Ends(wanted, source, target, obj), modes, probe, hits, kube)
    return Link(
        from_=wanted.from_,
        to=wanted.to,
        modes=modes,
        state=state,
        reason=reason or (unmirrored(obj) if obj is not None else ""),
        latency_ms=probe.latency_ms if probe and probe.alive else None,
        gateway_alive=probe.alive if probe else None,
        mirrors=mirror_counts(kube.mirrors, wanted.to),
        impairment=wanted.impairment,
        faults=tuple(fault.id for fault in hits),
    )


class _Ends:
    """What the judgement looks at besides measurements: both clusters and the Link object, if they are
    there.
    """

    def __init__(
        self, wanted: WantedLink, source: Cluster | None, target: Cluster | None, obj: Object | None
    ) -> None:
        self.wanted, self.source, self.target, self.obj = wanted, source, target, obj


def _judge(
    ends: _Ends, modes: tuple[str, ...], probe: GatewayProbe | None, hits: list[Fault], kube: KubeFacts
) -> Judgement:
    wanted = ends.wanted
    if cut := next((fault for fault in hits if fault.kind == "partition"), None):
        return "partitioned", f"fault {cut.id}"
    if ends.source is None or ends.source.state in SILENT:
        return "unknown", f"{wanted.from_} is {ends.source.state if ends.source else 'not in the lab'}"
    if ends.obj is None:
        return "missing", f"no Link object for {wanted.to} in {wanted.from_}"
    if ends.target is not None and ends.target.state in ("down", "paused"):
        return "down", f"{wanted.to} is {ends.target.state}"
    if probe is not None and not probe.alive:
        only = modes == ("gateway",)
        return ("down" if only else "degraded"), f"the gateway of {wanted.to} does not answer the probe"
    if silent := _silent_mirror(ends, kube):
        return "degraded", silent
    if ends.target is not None and ends.target.api.state != "ready":
        return "degraded", f"the API server of {wanted.to} does not answer: mirrors are not updated"
    if "gateway" in modes and probe is None:
        return "degraded", "the gateway has not been probed yet"
    return "up", ""


def _silent_mirror(ends: _Ends, kube: KubeFacts) -> str:
    """Why the service mirror of this link is not at work, or empty."""
    names = mirror_names(ends.wanted.to)
    for deployment in kube.deployments:
        if objects.name(deployment) in names and objects.namespace(deployment) == "linkerd-multicluster":
            ready = int(objects.status(deployment).get("readyReplicas") or 0)
            return "" if ready else f"its service mirror {objects.name(deployment)} is not ready"
    return f"no service mirror for {ends.wanted.to} runs in {ends.wanted.from_}"


def mirror_names(target: str) -> tuple[str, str]:
    """The service mirror's Deployment, as managed by the chart and as made by `link` in 2.14."""
    return f"controller-{target}", f"linkerd-service-mirror-{target}"


def touches(fault: Fault, source: str, target: str) -> bool:
    """Whether a fault breaks the path between two clusters (or one of its ends)."""
    if fault.others:
        return {(source, target), (target, source)} & {
            (a, b) for a in fault.clusters for b in fault.others
        } != set()
    if fault.kind in ("pause", "gateway", "kill"):
        return target in fault.clusters or (fault.kind == "pause" and source in fault.clusters)
    return False


def mirror_counts(mirrors: Iterable[Object], target: str) -> dict[str, int]:
    """Mirror Services of one target by mode."""
    counted: Counter[str] = Counter()
    for service in mirrors:
        labels, annotations = objects.labels(service), objects.annotations(service)
        if labels.get(CLUSTER_NAME) == target:
            counted["flat" if REMOTE_DISCOVERY in labels else "gateway"] += 1
        elif any(m.endswith(f"@{target}") for m in annotations.get(REMOTE_DISCOVERY, "").split(",")):
            counted["federated"] += 1
    return dict(counted)
