"""Everything a sidecar may be asked to reach: each Service port of the cluster, as one namespace sees it.
Pure.
"""

from dataclasses import dataclass, replace

from lab.controlplane.model.attachment import attached, consumer_namespaces
from lab.controlplane.model.backends import service_cluster
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Cluster, Endpoint, OutboundPort, PoolSource, PortRef, Upstream
from lab.controlplane.model.pools import meshed_pods
from lab.controlplane.model.services import (
    FQ_NAME,
    ServicePort,
    address_of,
    hosts_of,
    is_gateway_mirror,
    ports_of,
    service_of,
)
from lab.controlplane.model.tables import upstream
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object, annotations


@dataclass(frozen=True)
class ServiceView:
    """One Service port: how connections to it are recognised, and all that its callers need."""

    port: OutboundPort
    upstream: Upstream
    clusters: tuple[Cluster, ...]
    pools: tuple[PoolSource, ...]


def views(reader: Reader, client: str) -> tuple[ServiceView, ...]:
    """All Service ports for callers in namespace `client`."""
    names = reader.cell("services", LOCAL) or ()
    return tuple(view for ns, name in names for view in reader.get(service_views, ns, name, client))


def service_views(reader: Reader, namespace: str, name: str, client: str) -> tuple[ServiceView, ...]:
    """The ports of one Service; the same object for every namespace without routes of its own."""
    service = service_of(reader, namespace, name)
    if service is None:
        return ()
    ports = ports_of(service, reader.cell("namespace", namespace))
    found = []
    for port in ports:
        ref = PortRef(namespace, name, port.number)
        own = client in consumer_namespaces(reader, ref) and _has_routes(reader, ref, port, client)
        found.append(reader.get(_view, ref, port, client if own else ""))
        found += [reader.get(_view, pod, port, "") for pod in hosts_of(reader, ref)]
        found += [reader.get(_pod_view, ref, port, pod) for pod in meshed_pods(reader, ref)]
    return tuple(found)


def _pod_view(reader: Reader, ref: PortRef, port: ServicePort, pod: Endpoint) -> ServiceView:
    """One pod of a headless Service, which apps dial by its own address."""
    view = reader.get(_view, replace(ref, pod=pod.address), port, "")
    return replace(view, port=replace(view.port, address=pod.address, number=pod.port))


def _has_routes(reader: Reader, ref: PortRef, port: ServicePort, client: str) -> bool:
    return any(route["metadata"]["namespace"] == client for route in attached(reader, ref, port, client))


def _view(reader: Reader, ref: PortRef, port: ServicePort, consumer: str) -> ServiceView:
    service: Object = service_of(reader, ref.namespace, ref.service) or {}
    above = upstream(reader, ref, port, consumer)
    http, tcp = service_cluster(reader, ref), service_cluster(reader, ref, tcp=True)
    own = (http,) if port.protocol == "http" else (http, tcp)
    remote_name = annotations(service).get(FQ_NAME, "") if is_gateway_mirror(service) else ""
    outbound = OutboundPort(
        ref=ref,
        address=address_of(service),
        number=ref.port,
        protocol=port.protocol,
        table=above.table.name,
        tcp_cluster=tcp.name,
        tunnel=f"{remote_name}:{ref.port}" if remote_name else "",
    )
    pools = (PoolSource(str(ref), ((ref, 1),)), *above.pools)
    return ServiceView(outbound, above, (*own, *above.clusters), pools)
