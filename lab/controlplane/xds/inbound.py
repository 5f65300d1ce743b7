"""The inbound listener of a sidecar: who is there, may they, and on to the app at the address they dialled. Pure.

Meshed clients come by mutual TLS and say in its protocol name when what is inside is not HTTP. Plaintext comes from
kubelets and unmeshed clients; policy decides whether it may, and no identity is passed on for it.
"""

from typing import Any

from envoy.config.listener.v3 import listener_components_pb2 as lc
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2

from lab.controlplane.model.ir import Inbound, InboundPort
from lab.controlplane.xds import names
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.http import HCM, connection_manager, network_filter
from lab.controlplane.xds.listeners import (
    DETECT_TIMEOUT,
    HTTP_VERSIONS,
    http_inspector,
    original_destination,
    tcp_filter,
)
from lab.controlplane.xds.messages import any_of, duration, header, socket_address, uint32
from lab.controlplane.xds.rbac import http_policy, network_policy
from lab.controlplane.xds.tls import server_socket

TLS = "tls"
RAW = "raw_buffer"


def inbound_listener(inbound: Inbound, settings: Settings) -> Any:
    """The listener at 4143: chains for the ports that have rules of their own, and for all others."""
    ports = (*inbound.ports, inbound.other)
    return listener_pb2.Listener(
        name=names.INBOUND,
        address=socket_address("0.0.0.0", names.INBOUND_PORT),
        traffic_direction=1,
        listener_filters=[original_destination(), tls_inspector(), http_inspector()],
        listener_filters_timeout=duration(DETECT_TIMEOUT),
        continue_on_listener_filters_timeout=True,
        filter_chains=[chain for port in ports for chain in _chains(port, settings)],
        per_connection_buffer_limit_bytes=uint32(1 << 20),
    )


def tls_inspector() -> Any:
    config = tls_inspector_pb2.TlsInspector()
    return lc.ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=any_of(config))


def _chains(port: InboundPort, settings: Settings) -> list[Any]:
    label = str(port.port or "other")
    tcp = [*network_policy(port.policy), tcp_filter(names.LOCAL_TCP, f"{names.INBOUND}-{label}")]
    socket = server_socket(settings.secrets)
    if port.protocol == "opaque":
        meshed = lc.FilterChain(
            name=f"{label}/mtls", filter_chain_match=_match(port, TLS), filters=tcp, transport_socket=socket
        )
        return [
            meshed,
            lc.FilterChain(name=f"{label}/plain", filter_chain_match=_match(port, RAW), filters=tcp),
        ]
    chains = [
        lc.FilterChain(
            name=f"{label}/mtls-tcp",
            filter_chain_match=_match(port, TLS, (names.TCP_ALPN,)),
            filters=tcp,
            transport_socket=socket,
        ),
        lc.FilterChain(
            name=f"{label}/mtls-http",
            filter_chain_match=_match(port, TLS),
            filters=[_http(port, label, meshed=True)],
            transport_socket=socket,
        ),
        lc.FilterChain(
            name=f"{label}/http",
            filter_chain_match=_match(port, RAW, HTTP_VERSIONS),
            filters=[_http(port, label, meshed=False)],
        ),
        lc.FilterChain(name=f"{label}/tcp", filter_chain_match=_match(port, RAW), filters=tcp),
    ]
    return chains


def _match(port: InboundPort, transport: str, protocols: tuple[str, ...] = ()) -> Any:
    found = lc.FilterChainMatch(transport_protocol=transport, application_protocols=protocols)
    if port.port:
        found.destination_port.CopyFrom(uint32(port.port))
    return found


def _http(port: InboundPort, label: str, *, meshed: bool) -> Any:
    manager = connection_manager(f"{names.INBOUND}-{label}", http_policy(port.policy))
    manager.route_config.CopyFrom(_to_app(meshed=meshed))
    return network_filter(HCM, manager)


def _to_app(*, meshed: bool) -> Any:
    """All requests go to the app, with the client's proven identity or with none, whatever the client claims."""
    action = rc.RouteAction(cluster=names.LOCAL_HTTP, timeout=duration(0))
    to_app = rc.Route(match=rc.RouteMatch(prefix="/"), route=action, name="app")
    found = route_pb2.RouteConfiguration(
        name=names.INBOUND, virtual_hosts=[rc.VirtualHost(name="app", domains=["*"], routes=[to_app])]
    )
    found.validate_clusters.value = False
    found.request_headers_to_remove.append(names.DESTINATION)
    if meshed:
        identity = header(names.CLIENT_ID, "%DOWNSTREAM_PEER_DNS_SAN%", "OVERWRITE_IF_EXISTS_OR_ADD")
        found.request_headers_to_add.append(identity)
    else:
        found.request_headers_to_remove.append(names.CLIENT_ID)
    return found
