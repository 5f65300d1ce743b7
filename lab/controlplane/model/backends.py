"""What the backendRefs of a route rule come to: clusters, weighted pools, or nothing that can be reached.
Pure.

Backends that differ only by weight become ONE cluster with one locality each, because there Envoy shares by
weight among backends that have ready endpoints. Filters on a backendRef, or one that cannot be resolved
while others can, need separate clusters; those share by weight whether ready or not.
"""

from dataclasses import dataclass, replace

from lab.controlplane.model.filters import filters_of, unsupported_in_backend
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import INVALID, Accrual, Cluster, Destination, Match, PoolSource, PortRef
from lab.controlplane.model.retries import limits, timeouts_of
from lab.controlplane.model.services import accrual_of, is_gateway_mirror, port_of, service_of
from lab.kube.objects import Object, annotations, namespace


@dataclass(frozen=True)
class Resolved:
    """A backendRef and the Service port it names; `reason` says why there is none (an API reason)."""

    reference: tuple[str, str]
    weight: int
    ref: PortRef | None
    reason: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule of a route, with the name that its own cluster would get."""

    name: str
    backends: tuple[Resolved, ...]
    patient: bool = False
    apart: bool = False
    """Each backend gets its share whether it is ready or not (a bug that can be asked for)."""


def resolve(reader: Reader, route: Object, backend: Object) -> Resolved:
    """Look a backendRef up. Within the mesh other namespaces need no ReferenceGrant."""
    where = (str(backend.get("namespace") or namespace(route)), str(backend.get("name", "")))
    weight = int(backend.get("weight", 1))
    if (backend.get("group") or "", backend.get("kind") or "Service") not in (
        ("", "Service"),
        ("core", "Service"),
    ):
        return Resolved(where, weight, None, "InvalidKind")
    service = service_of(reader, *where)
    port = port_of(service, int(backend.get("port") or 0)) if service else None
    if port is None:
        return Resolved(where, weight, None, "BackendNotFound")
    return Resolved(where, weight, PortRef(*where, port.number))


def service_cluster(reader: Reader, ref: PortRef, *, tcp: bool = False) -> Cluster:
    """The cluster of a Service port by itself."""
    service = service_of(reader, ref.namespace, ref.service)
    name = f"{'outbound-tcp' if tcp else 'outbound'}/{ref}"
    if service is None:
        return Cluster(name, str(ref), tcp)
    bounds = timeouts_of({}, limits(reader, annotations(service)))
    return Cluster(
        name,
        str(ref),
        tcp,
        gateway=is_gateway_mirror(service),
        patient=bool(bounds.request or bounds.attempt),
        accrual=accrual_of(service),
    )


def rule_cluster(reader: Reader, rule: Rule) -> Cluster:
    """The cluster over all backends of a rule."""
    chosen = [b.ref for b in rule.backends if b.ref and b.weight]
    parts = [service_cluster(reader, ref) for ref in chosen]
    accruals = [part.accrual for part in parts if part.accrual]
    pool = str(chosen[0]) if len(chosen) == 1 else rule.name
    return Cluster(
        f"route/{rule.name}",
        pool,
        gateway=any(part.gateway for part in parts),
        patient=rule.patient,
        accrual=_strictest(accruals),
    )


def own_pool(rule: Rule, cluster: Cluster) -> tuple[PoolSource, ...]:
    """The pool that the rule brings along; none when its only backend's is used."""
    if cluster.pool != rule.name:
        return ()
    return (PoolSource(rule.name, tuple((b.ref, b.weight) for b in rule.backends if b.ref and b.weight)),)


def destinations(reader: Reader, rule: Rule, backends: list[Object], match: Match) -> tuple[Destination, ...]:
    """Where the requests of a rule go; none when there is no backend with a weight, or none can be
    resolved.
    """
    weighted = [(b, source) for b, source in zip(rule.backends, backends, strict=True) if b.weight]
    if not any(b.ref for b, _ in weighted):
        return ()
    if needs_split(rule, backends):
        return tuple(
            Destination(
                service_cluster(reader, b.ref).name
                if b.ref and not unsupported_in_backend(source.get("filters"))
                else INVALID,
                b.weight,
                filters_of(source.get("filters"), match),
            )
            for b, source in weighted
        )
    if is_plain(rule):
        return tuple(Destination(service_cluster(reader, b.ref).name) for b, _ in weighted if b.ref)
    return (Destination(f"route/{rule.name}"),)


def needs_split(rule: Rule, backends: list[Object]) -> bool:
    """Whether the backends cannot share one cluster."""
    return (rule.apart and len(rule.backends) > 1) or any(
        b.weight and (b.ref is None or s.get("filters")) for b, s in zip(rule.backends, backends, strict=True)
    )


def is_plain(rule: Rule) -> bool:
    """Whether the rule can use the cluster of its only backend as it is."""
    return not rule.patient and sum(1 for b in rule.backends if b.weight) == 1


def _strictest(accruals: list[Accrual]) -> Accrual | None:
    """Backends in one cluster share a breaker: the one that opens first."""
    return replace(min(accruals, key=lambda a: a.max_failures)) if accruals else None
