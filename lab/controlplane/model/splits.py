"""TrafficSplit (SMI): all HTTP to one Service is shared among other Services by weight. Pure.

As with Linkerd's SMI adaptor, a split wins over the Service's routes. Its backends share one cluster, so one
without a ready endpoint is passed over; a weight of 0 is never chosen.
"""

from lab.controlplane.model.backends import Resolved, Rule, own_pool, rule_cluster
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Destination, Entry, Match, PortRef, RouteTable, Upstream
from lab.controlplane.model.services import port_of, service_of
from lab.kube.objects import Object, meta, name, namespace, spec


def split_of(reader: Reader, ref: PortRef) -> Object | None:
    """The TrafficSplit that decides about a Service port: the oldest that names the Service as its apex."""
    splits = reader.cell("splits", ref.namespace, ref.service) or ()
    return min(splits, key=_age) if splits else None


def split_upstream(reader: Reader, ref: PortRef, split: Object) -> Upstream:
    """What callers get at a Service port that is split."""
    rule = Rule(f"split/{namespace(split)}/{name(split)}/{ref.port}", _backends(reader, ref, split))
    cluster = rule_cluster(reader, rule)
    table = RouteTable(str(ref), (Entry(rule.name, Match(), (Destination(cluster.name),)),))
    return Upstream(table, (cluster,), own_pool(rule, cluster))


def _backends(reader: Reader, ref: PortRef, split: Object) -> tuple[Resolved, ...]:
    found = []
    for backend in spec(split).get("backends") or []:
        where = (ref.namespace, str(backend.get("service", "")))
        service = service_of(reader, *where)
        known = service is not None and port_of(service, ref.port) is not None
        weight = int(backend.get("weight") or 0)
        found.append(Resolved(where, weight, PortRef(*where, ref.port) if known else None))
    return tuple(found)


def _age(split: Object) -> tuple[str, str]:
    return str(meta(split).get("creationTimestamp") or ""), name(split)
