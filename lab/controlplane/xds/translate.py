"""From the model to the snapshot of one proxy. Pure; what does not depend on the proxy is built once and
shared.

Rules of the graph (model/graph.py) keep each resource until something it was made from changes: an endpoint
that comes or goes rebuilds one ClusterLoadAssignment per pool it is in, and nothing else.
"""

from dataclasses import dataclass
from typing import Any

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Cluster, OutboundPort, PoolSource, RouteTable
from lab.controlplane.model.outbound import ServiceView, views
from lab.controlplane.model.pods import cut, gateway, inbound
from lab.controlplane.model.pools import pool_of
from lab.controlplane.model.world import World
from lab.controlplane.xds import names
from lab.controlplane.xds.clusters import Settings, local_clusters, outbound_cluster, passthrough_cluster
from lab.controlplane.xds.endpoints import load_assignment
from lab.controlplane.xds.gateway import GATEWAY, gateway_listener, gateway_routes
from lab.controlplane.xds.inbound import Tables, inbound_listener, inbound_tables
from lab.controlplane.xds.listeners import outbound_listener, service_chains
from lab.controlplane.xds.resources import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    ROUTES,
    Resource,
    ResourceSet,
    resource,
)
from lab.controlplane.xds.routes import route_configuration
from lab.controlplane.xds.snapshot import Snapshot


@dataclass(frozen=True)
class Proxy:
    """Which proxy asks: its pod and what it does there (`sidecar` or `gateway`)."""

    namespace: str
    pod: str
    role: str = "sidecar"


def snapshot(world: World, proxy: Proxy, settings: Settings) -> Snapshot:
    """What `proxy` must have now; the same object as before when nothing changed for it."""
    rule = gateway_snapshot if proxy.role == "gateway" else sidecar_snapshot
    return world.graph.get(rule, proxy, settings)


def sidecar_snapshot(reader: Reader, proxy: Proxy, settings: Settings) -> Snapshot:
    return Snapshot(
        {
            CLUSTER: reader.get(clusters, proxy.namespace, settings, reader.get(cut, proxy.namespace)),
            ENDPOINTS: reader.get(endpoint_resources, proxy.namespace),
            LISTENER: reader.get(sidecar_listeners, proxy, settings),
            ROUTES: reader.get(sidecar_tables, proxy),
        }
    )


def gateway_snapshot(reader: Reader, proxy: Proxy, settings: Settings) -> Snapshot:
    return Snapshot(
        {
            CLUSTER: reader.get(clusters, "", settings, reader.get(cut, proxy.namespace)),
            ENDPOINTS: reader.get(endpoint_resources, ""),
            LISTENER: reader.get(_gateway_listeners, proxy, settings),
            ROUTES: reader.get(_gateway_tables, proxy),
        }
    )


def clusters(reader: Reader, client: str, settings: Settings, cut: str) -> ResourceSet:
    """Every cluster that callers in a namespace may need, and the fixed ones."""
    found = (cluster for view in reader.get(views, client) for cluster in view.clusters)
    return ResourceSet(
        [*reader.get(_fixed), *(reader.get(_cluster, cluster, settings, cut) for cluster in found)]
    )


def tables(reader: Reader, client: str) -> ResourceSet:
    """The route tables of all ports that may carry HTTP."""
    seen = [view for view in reader.get(views, client) if _is_routed(view)]
    return ResourceSet(reader.get(_table, view.upstream.table) for view in seen)


def sidecar_tables(reader: Reader, proxy: Proxy) -> ResourceSet:
    """The tables that all sidecars of a namespace share, and the pod's own."""
    shared = reader.get(tables, proxy.namespace)
    return ResourceSet([*shared.values(), *reader.get(_inbound_tables, proxy)])


def outbound_listeners(reader: Reader, client: str) -> Resource:
    dialled: dict[tuple[str, int], OutboundPort] = {}
    for view in reader.get(views, client):
        if view.port.address:
            # A pod behind two headless Services is dialled by one address; Envoy takes one chain for it.
            dialled.setdefault((view.port.address, view.port.number), view.port)
    ports = tuple(dialled.values())
    chains = [chain for port in ports for chain in reader.get(_chains, port)]
    return resource(names.OUTBOUND, outbound_listener(ports, chains))


def sidecar_listeners(reader: Reader, proxy: Proxy, settings: Settings) -> ResourceSet:
    """The listener that all sidecars of a namespace share, and the pod's own."""
    shared = reader.get(outbound_listeners, proxy.namespace)
    own = reader.get(_inbound_resource, proxy, settings)
    return ResourceSet([shared, own] if own else [shared])


def endpoint_resources(reader: Reader, client: str) -> ResourceSet:
    sources = (source for view in reader.get(views, client) for source in view.pools)
    return ResourceSet(reader.get(_endpoints, source) for source in sources)


def _endpoints(reader: Reader, source: PoolSource) -> Resource:
    return resource(source.name, load_assignment(pool_of(reader, source)))


def _cluster(reader: Reader, cluster: Cluster, settings: Settings, cut: str) -> Resource:
    return resource(cluster.name, outbound_cluster(cluster, settings, cut), cluster.pool)


def _is_routed(view: ServiceView) -> bool:
    return view.port.protocol != "opaque" and bool(view.port.address)


def _table(reader: Reader, table: RouteTable) -> Resource:
    return resource(table.name, route_configuration(table))


def _chains(reader: Reader, port: OutboundPort) -> tuple[Any, ...]:
    return service_chains(port)


def _fixed(reader: Reader) -> tuple[Resource, ...]:
    return tuple(resource(cluster.name, cluster) for cluster in (passthrough_cluster(), *local_clusters()))


def _inbound_resource(reader: Reader, proxy: Proxy, settings: Settings) -> Resource | None:
    found = reader.get(inbound, proxy.namespace, proxy.pod)
    own = Tables.of(proxy.namespace, proxy.pod)
    return resource(names.INBOUND, inbound_listener(found, settings, own)) if found else None


def _inbound_tables(reader: Reader, proxy: Proxy) -> tuple[Resource, ...]:
    found = reader.get(inbound, proxy.namespace, proxy.pod)
    own = inbound_tables(found, Tables.of(proxy.namespace, proxy.pod)) if found else ()
    return tuple(resource(table.name, table) for table in own)


def _gateway_listeners(reader: Reader, proxy: Proxy, settings: Settings) -> ResourceSet:
    since = reader.get(cut, proxy.namespace, proxy.pod)
    return ResourceSet([resource(names.INBOUND, gateway_listener(settings, since))])


def _gateway_tables(reader: Reader, proxy: Proxy) -> ResourceSet:
    found = reader.get(gateway, proxy.namespace, proxy.pod)
    return ResourceSet([resource(GATEWAY, gateway_routes(found))] if found else ())
