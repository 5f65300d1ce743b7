"""From the model to the snapshot of one proxy. Pure; what does not depend on the proxy is built once and shared.

Rules of the graph (model/graph.py) keep each resource until something it was made from changes: an endpoint that
comes or goes rebuilds one ClusterLoadAssignment per pool it is in, and nothing else.
"""

from dataclasses import dataclass
from typing import Any

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Cluster, OutboundPort, PoolSource, RouteTable
from lab.controlplane.model.outbound import views
from lab.controlplane.model.pods import gateway, inbound
from lab.controlplane.model.pools import pool_of
from lab.controlplane.model.world import World
from lab.controlplane.xds import names
from lab.controlplane.xds.clusters import Settings, local_clusters, outbound_cluster, passthrough_cluster
from lab.controlplane.xds.endpoints import load_assignment
from lab.controlplane.xds.gateway import GATEWAY, gateway_listener, gateway_routes
from lab.controlplane.xds.inbound import inbound_listener
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
    outbound = reader.get(outbound_resources, proxy.namespace, settings)
    listener = reader.get(_inbound_resource, proxy, settings)
    return Snapshot(
        {
            CLUSTER: outbound.clusters,
            ENDPOINTS: reader.get(endpoint_resources, proxy.namespace),
            LISTENER: reader.get(_with, outbound.listener, listener) if listener else outbound.listener,
            ROUTES: outbound.tables,
        }
    )


def gateway_snapshot(reader: Reader, proxy: Proxy, settings: Settings) -> Snapshot:
    found = reader.get(gateway, proxy.namespace, proxy.pod)
    if found is None:
        return Snapshot({})
    outbound = reader.get(outbound_resources, "", settings)
    return Snapshot(
        {
            CLUSTER: outbound.clusters,
            ENDPOINTS: reader.get(endpoint_resources, ""),
            LISTENER: ResourceSet([_gateway_listener(settings)]),
            ROUTES: ResourceSet([resource(GATEWAY, gateway_routes(found))]),
        }
    )


@dataclass(frozen=True, eq=False)
class Outbound:
    """What all sidecars of a namespace share, without the endpoints."""

    clusters: ResourceSet
    listener: ResourceSet
    tables: ResourceSet


def outbound_resources(reader: Reader, client: str, settings: Settings) -> Outbound:
    seen = reader.get(views, client)
    clusters = [_cluster(reader, cluster, settings) for view in seen for cluster in view.clusters]
    fixed = [reader.get(_passthrough), *reader.get(_local)]
    chained = [view.port for view in seen if view.port.address]
    chains = [chain for port in chained for chain in reader.get(_chains, port)]
    listener = resource(names.OUTBOUND, outbound_listener(chained, chains))
    tables = [reader.get(_table, view.upstream.table) for view in seen if view.port.protocol != "opaque"]
    return Outbound(ResourceSet([*fixed, *clusters]), ResourceSet([listener]), ResourceSet(tables))


def endpoint_resources(reader: Reader, client: str) -> ResourceSet:
    sources = (source for view in reader.get(views, client) for source in view.pools)
    return ResourceSet(reader.get(_endpoints, source) for source in sources)


def _endpoints(reader: Reader, source: PoolSource) -> Resource:
    return resource(source.name, load_assignment(pool_of(reader, source)))


def _cluster(reader: Reader, cluster: Cluster, settings: Settings) -> Resource:
    return reader.get(_cluster_resource, cluster, settings)


def _cluster_resource(reader: Reader, cluster: Cluster, settings: Settings) -> Resource:
    return resource(cluster.name, outbound_cluster(cluster, settings))


def _table(reader: Reader, table: RouteTable) -> Resource:
    return resource(table.name, route_configuration(table))


def _chains(reader: Reader, port: OutboundPort) -> tuple[Any, ...]:
    return service_chains(port)


def _passthrough(reader: Reader) -> Resource:
    return resource(names.PASSTHROUGH, passthrough_cluster())


def _local(reader: Reader) -> tuple[Resource, ...]:
    return tuple(resource(cluster.name, cluster) for cluster in local_clusters())


def _inbound_resource(reader: Reader, proxy: Proxy, settings: Settings) -> Resource | None:
    found = reader.get(inbound, proxy.namespace, proxy.pod)
    return resource(names.INBOUND, inbound_listener(found, settings)) if found else None


def _gateway_listener(settings: Settings) -> Resource:
    return resource(names.INBOUND, gateway_listener(settings))


def _with(reader: Reader, shared: ResourceSet, own: Resource) -> ResourceSet:
    return ResourceSet([*shared.values(), own])
