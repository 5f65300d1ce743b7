"""The route table of a Service port: every match of every attached rule in order of precedence. Pure."""

from dataclasses import dataclass, replace

from lab.controlplane.model.attachment import attached
from lab.controlplane.model.backends import (
    Rule,
    destinations,
    is_plain,
    needs_split,
    own_pool,
    resolve,
    rule_cluster,
    service_cluster,
)
from lab.controlplane.model.filters import copy_of, filters_of, mirrors_of, unsupported
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import (
    Cluster,
    Copy,
    Destination,
    Entry,
    Filters,
    Match,
    PoolSource,
    PortRef,
    RouteTable,
    Upstream,
)
from lab.controlplane.model.matches import grpc_match, grpc_rank, http_match, http_rank, is_expressible
from lab.controlplane.model.retries import limits, retry_of, timeouts_of
from lab.controlplane.model.services import ServicePort, service_of
from lab.controlplane.model.sessions import session_of
from lab.controlplane.model.splits import split_of, split_upstream
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object, annotations, name, namespace, spec


@dataclass(frozen=True)
class _Parent:
    """The Service port that routes are attached to."""

    ref: PortRef
    notes: tuple[tuple[str, str], ...]


def upstream(reader: Reader, ref: PortRef, port: ServicePort, consumer: str = "") -> Upstream:
    """What callers in namespace `consumer` ("" for all that have no routes of their own) get at a Service
    port.
    """
    split = None if ref.pod else split_of(reader, ref)
    if split is not None:
        return split_upstream(reader, ref, split)
    service = service_of(reader, ref.namespace, ref.service) or {}
    parent = _Parent(ref, tuple(sorted(annotations(service).items())))
    routes = () if ref.pod else attached(reader, ref, port, consumer)
    name_ = f"{ref}@{consumer}" if consumer else str(ref)
    if not routes:
        return Upstream(RouteTable(name_, (_plain_entry(reader, parent),)), (), ())
    ranked: list[tuple[tuple[int, ...], Entry]] = []
    clusters: dict[str, Cluster] = {}
    pools: dict[str, PoolSource] = {}
    for route in routes:
        for index, rule in enumerate(spec(route).get("rules") or [{}]):
            found = _read_rule(reader, route, index, rule)
            ranked += _entries(reader, parent, found)
            if not needs_split(found.rule, found.backends) and not is_plain(found.rule):
                cluster = rule_cluster(reader, found.rule)
                clusters[cluster.name] = cluster
                pools |= {pool.name: pool for pool in own_pool(found.rule, cluster)}
    ranked.sort(key=lambda pair: pair[0])  # stable: ties stay in order of age, rule and match
    entries = tuple(entry for _, entry in ranked)
    return Upstream(RouteTable(name_, entries), tuple(clusters.values()), tuple(pools.values()))


@dataclass(frozen=True)
class _Found:
    """A rule with the objects it was read from."""

    rule: Rule
    route: Object
    source: Object
    backends: list[Object]


def _read_rule(reader: Reader, route: Object, index: int, source: Object) -> _Found:
    kind = "grpc" if route["kind"] == "GRPCRoute" else "http"
    if str(route.get("apiVersion", "")).startswith("policy.linkerd.io/"):
        kind = f"policy-{kind}"  # a namespace may hold an HTTPRoute of each group by the same name
    backends = list(source.get("backendRefs") or [])
    bounds = timeouts_of(source, limits(reader, {}, annotations(route)))
    rule = Rule(
        f"{kind}/{namespace(route)}/{name(route)}/{index}",
        tuple(resolve(reader, route, backend) for backend in backends),
        patient=bool(bounds.request or bounds.attempt),
        apart=bool((reader.cell("cluster", LOCAL) or {}).get("empty_backend_keeps_share")),
    )
    return _Found(rule, route, source, backends)


def _entries(reader: Reader, parent: _Parent, found: _Found) -> list[tuple[tuple[int, ...], Entry]]:
    """One ranked entry per match of the rule; a rule without matches takes every request.

    A match that Envoy cannot express is left out, as it would cost the whole table.
    """
    is_grpc = found.route["kind"] == "GRPCRoute"
    notes = limits(reader, dict(parent.notes), annotations(found.route))
    ranked = []
    for source in found.source.get("matches") or [{}]:
        match = grpc_match(source) if is_grpc else http_match(source)
        if not is_expressible(match):
            continue
        entry = Entry(found.rule.name, match, grpc=is_grpc)
        if not unsupported(found.source.get("filters")):
            entry = replace(
                entry,
                destinations=destinations(reader, found.rule, found.backends, match),
                filters=_filters(reader, parent, found, match),
                timeouts=timeouts_of(found.source, notes),
                retry=retry_of(found.source, notes),
                session=session_of(found.source, found.rule.name, match),
            )
        ranked.append((grpc_rank(source) if is_grpc else http_rank(match), entry))
    return ranked


def _filters(reader: Reader, parent: _Parent, found: _Found, match: Match) -> Filters:
    items = found.source.get("filters")
    copies: list[Copy] = []
    for mirror in mirrors_of(items):
        target = resolve(reader, found.route, mirror.get("backendRef") or {})
        if target.ref:
            copies.append(copy_of(mirror, service_cluster(reader, target.ref).name))
    return replace(filters_of(items, match, parent.ref.port), copies=tuple(copies))


def _plain_entry(reader: Reader, parent: _Parent) -> Entry:
    """A Service without routes: everything goes to the Service itself."""
    notes = limits(reader, dict(parent.notes))
    cluster = service_cluster(reader, parent.ref)
    return Entry(
        name="default",
        match=Match(),
        destinations=(Destination(cluster.name),),
        timeouts=timeouts_of({}, notes),
        retry=retry_of({}, notes),
    )
