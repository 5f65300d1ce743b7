"""Everything one proxy gets, and the check that it is whole. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lab.base.errors import LabError
from lab.controlplane.xds.names import INVALID_BACKEND
from lab.controlplane.xds.resources import CLUSTER, EMPTY, ENDPOINTS, LISTENER, ROUTES, ResourceSet


class DanglingReference(LabError):
    """A resource names another that is not in the snapshot."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The resources of one proxy, by type."""

    types: Mapping[str, ResourceSet]

    def of(self, type_url: str) -> ResourceSet:
        return self.types.get(type_url, EMPTY)

    def check(self) -> None:
        """Raise DanglingReference naming the first resource that points to one which is not here."""
        clusters, tables = set(self.of(CLUSTER)), set(self.of(ROUTES))
        for found in self.of(CLUSTER).values():
            cluster = _unpacked(found.body, cluster_pb2.Cluster)
            if cluster.type == cluster_pb2.Cluster.EDS:
                pool = cluster.eds_cluster_config.service_name
                _require(pool in self.of(ENDPOINTS), f"cluster {cluster.name}", f"endpoints {pool}")
        for found in self.of(LISTENER).values():
            for owner, wanted_clusters, wanted_tables in _chains(
                _unpacked(found.body, listener_pb2.Listener)
            ):
                for name in wanted_clusters:
                    _require(name in clusters, owner, f"cluster {name}")
                for name in wanted_tables:
                    _require(name in tables, owner, f"route table {name}")
        for found in self.of(ROUTES).values():
            table = _unpacked(found.body, route_pb2.RouteConfiguration)
            for name in _routed(table):
                _require(
                    name in clusters or name == INVALID_BACKEND,
                    f"route table {table.name}",
                    f"cluster {name}",
                )


def _require(holds: bool, owner: str, wanted: str) -> None:
    if not holds:
        raise DanglingReference(f"{owner} refers to {wanted}, which is not in the snapshot")


def _chains(listener: Any) -> list[tuple[str, list[str], list[str]]]:
    """Per filter chain: its name, the clusters and the route tables that it names."""
    found = []
    for chain in [*listener.filter_chains, listener.default_filter_chain]:
        clusters: list[str] = []
        tables: list[str] = []
        for part in chain.filters:
            if part.typed_config.Is(tcp_proxy_pb2.TcpProxy.DESCRIPTOR):
                clusters.append(_unpacked(part.typed_config, tcp_proxy_pb2.TcpProxy).cluster)
            elif part.typed_config.Is(hcm.HttpConnectionManager.DESCRIPTOR):
                manager = _unpacked(part.typed_config, hcm.HttpConnectionManager)
                if manager.HasField("rds"):
                    tables.append(manager.rds.route_config_name)
                else:
                    clusters += _routed(manager.route_config)
        found.append((f"listener {listener.name} chain {chain.name}", clusters, tables))
    return found


def _routed(table: Any) -> list[str]:
    found = []
    for host in table.virtual_hosts:
        for route in host.routes:
            action = route.route
            found += [action.cluster] if action.cluster else []
            found += [part.name for part in action.weighted_clusters.clusters]
            found += [mirror.cluster for mirror in action.request_mirror_policies]
    return found


def _unpacked(body: Any, kind: Any) -> Any:
    message = kind()
    body.Unpack(message)
    return message
