"""The inbound listener of a sidecar: who is there, may they, and on to the app at the address they dialled.
Pure.

Meshed clients come by mutual TLS and say in its protocol name when what is inside is not HTTP. Plaintext
comes from kubelets and unmeshed clients; policy decides whether it may, and no identity is passed on for
it.

The tables of a pod's requests are the same for all of its ports: connections note which port they came to,
and routes of that port look for the note. So routes and policies come and go without a change of listeners.
"""

from dataclasses import dataclass
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.core.v3 import substitution_format_string_pb2 as format_pb2
from envoy.config.listener.v3 import listener_components_pb2 as lc
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.extensions.filters.network.set_filter_state.v3 import set_filter_state_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.type.matcher.v3 import filter_state_pb2

from lab.controlplane.model.ir import Inbound, InboundPort, InboundRoute
from lab.controlplane.xds import names
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.faults import HTTP_FAULT, fault_filter, fault_rules
from lab.controlplane.xds.http import HCM, connection_manager, network_filter, use_ads_routes
from lab.controlplane.xds.kubelet import probe_filter
from lab.controlplane.xds.listeners import (
    DETECT_TIMEOUT,
    HTTP_VERSIONS,
    http_inspector,
    original_destination,
    tcp_filter,
)
from lab.controlplane.xds.matches import text_matcher
from lab.controlplane.xds.messages import any_of, duration, header, socket_address, uint32
from lab.controlplane.xds.rbac import (
    HTTP_RBAC,
    audit_log,
    http_check,
    http_rules,
    network_check,
    no_rules,
    policy_rules,
)
from lab.controlplane.xds.routes import error, route
from lab.controlplane.xds.tls import cut_marker, server_socket

TLS = "tls"
RAW = "raw_buffer"
PORT = "lab.port"


def inbound_listener(inbound: Inbound, settings: Settings, tables: "Tables") -> Any:
    """The listener at 4143: chains for ports whose protocol is known, and for all others."""
    ports = (*(port for port in inbound.ports if port.protocol != "detect"), inbound.other)
    socket, log = server_socket(settings.secrets), audit_log(inbound, http=True)
    chains = _Chains(socket, _tcp(inbound), log, tables, inbound.cut)
    return listener_pb2.Listener(
        name=names.INBOUND,
        stat_prefix=names.INBOUND,
        address=socket_address("0.0.0.0", names.INBOUND_PORT),
        traffic_direction=1,
        listener_filters=[original_destination(), tls_inspector(), http_inspector()],
        listener_filters_timeout=duration(DETECT_TIMEOUT),
        continue_on_listener_filters_timeout=True,
        filter_chains=[chain for port in ports for chain in chains.of(port)],
        per_connection_buffer_limit_bytes=uint32(1 << 20),
    )


@dataclass(frozen=True)
class Tables:
    """Names of a pod's inbound route tables: for clients with a proven identity, and without."""

    meshed: str
    plain: str

    @classmethod
    def of(cls, namespace: str, pod: str) -> "Tables":
        return cls(f"inbound-mtls/{namespace}/{pod}", f"inbound-plain/{namespace}/{pod}")


def inbound_tables(inbound: Inbound, tables: Tables) -> tuple[Any, Any]:
    """Requests go to the app, with the client's proven identity or none, whatever the client claims."""
    meshed, plain = _table(tables.meshed, inbound), _table(tables.plain, inbound)
    identity = header(names.CLIENT_ID, "%DOWNSTREAM_PEER_DNS_SAN%", "OVERWRITE_IF_EXISTS_OR_ADD")
    meshed.request_headers_to_add.append(identity)
    plain.request_headers_to_remove.append(names.CLIENT_ID)
    return meshed, plain


def tls_inspector() -> Any:
    config = tls_inspector_pb2.TlsInspector()
    return lc.ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=any_of(config))


@dataclass(frozen=True)
class _Chains:
    """Builds filter chains out of what they share."""

    socket: Any
    tcp: list[Any]
    log: tuple[Any, ...]
    tables: Tables
    cut: str

    def of(self, port: InboundPort) -> list[Any]:
        """An opaque port needs two chains, any other four."""
        label = str(port.port or "other")
        found = []
        if port.protocol != "opaque":
            found = [
                self._chain(f"{label}/mtls-tcp", _match(port, TLS, (names.TCP_ALPN,)), self.tcp),
                self._chain(
                    f"{label}/mtls-http", _match(port, TLS), self._http(f"{label}-mtls", self.tables.meshed)
                ),
                self._chain(
                    f"{label}/http",
                    _match(port, RAW, HTTP_VERSIONS),
                    self._http(f"{label}-plain", self.tables.plain, probe_filter()),
                ),
            ]
        else:
            found = [self._chain(f"{label}/mtls", _match(port, TLS), self.tcp)]
        return [*found, self._chain(f"{label}/tcp", _match(port, RAW), self.tcp)]

    def _http(self, label: str, table: str, *first: Any) -> list[Any]:
        filters = (*first, http_check(), fault_filter())
        manager = connection_manager(f"{names.INBOUND}-{label}", filters)
        manager.access_log.extend(self.log)
        return [_note_port(), network_filter(HCM, use_ads_routes(manager, table))]

    def _chain(self, name: str, match: Any, filters: list[Any]) -> Any:
        chain = lc.FilterChain(name=name, filter_chain_match=match, filters=filters)
        if match.transport_protocol == TLS:
            chain.MergeFrom(lc.FilterChain(transport_socket=self.socket, metadata=cut_marker(self.cut)))
        return chain


def _match(port: InboundPort, transport: str, protocols: tuple[str, ...] = ()) -> Any:
    found = lc.FilterChainMatch(transport_protocol=transport, application_protocols=protocols)
    if port.port:
        found.destination_port.CopyFrom(uint32(port.port))
    return found


def _note_port() -> Any:
    """Writes down, for the life of a connection, which port of the pod it was made to."""
    value = value_pb2.FilterStateValue(
        object_key=PORT,
        factory_key="envoy.string",
        format_string=format_pb2.SubstitutionFormatString(
            text_format_source=base_pb2.DataSource(inline_string="%DOWNSTREAM_LOCAL_PORT%")
        ),
    )
    config = set_filter_state_pb2.Config(on_new_connection=[value])
    return network_filter("envoy.filters.network.set_filter_state", config)


def _tcp(inbound: Inbound) -> list[Any]:
    forward = tcp_filter(names.LOCAL_TCP, names.INBOUND)
    if log := audit_log(inbound, http=False):
        proxy = tcp_proxy_pb2.TcpProxy()
        forward.typed_config.Unpack(proxy)
        proxy.access_log.extend(log)
        forward = network_filter(forward.name, proxy)
    return [*network_check(inbound), forward]


def _table(name: str, inbound: Inbound) -> Any:
    routes = [found for port in inbound.ports if port.routes for found in _routes_of(port)]
    host = rc.VirtualHost(name="app", domains=["*"], routes=[*routes, _to_app()])
    if (rules := http_rules(inbound)) is not None:
        host.typed_per_filter_config[HTTP_RBAC].CopyFrom(any_of(rules))
    if inbound.fault:
        host.typed_per_filter_config[HTTP_FAULT].CopyFrom(any_of(fault_rules(inbound.fault)))
    return route_pb2.RouteConfiguration(
        name=name, virtual_hosts=[host], request_headers_to_remove=[names.DESTINATION]
    )


def _to_app() -> Any:
    action = rc.RouteAction(cluster=names.LOCAL_HTTP, timeout=duration(0))
    return rc.Route(match=rc.RouteMatch(prefix="/"), route=action, name="app")


def _routes_of(port: InboundPort) -> list[Any]:
    """The routes of a port's Server, each with its own rules; what fits none is answered 404."""
    found = [_route(entry) for entry in port.routes]
    missing = rc.Route(match=rc.RouteMatch(prefix="/"), direct_response=error(404, "no route"), name="404")
    missing.typed_per_filter_config[HTTP_RBAC].CopyFrom(any_of(no_rules()))
    noted = filter_state_pb2.FilterStateMatcher(key=PORT, string_match=text_matcher("exact", str(port.port)))
    for line in (*found, missing):
        line.match.filter_state.append(noted)
    return [*found, missing]


def _route(found: InboundRoute) -> Any:
    line = route(found.entry)
    if not line.HasField("redirect"):
        line.route.CopyFrom(_to_app().route)
    line.typed_per_filter_config[HTTP_RBAC].CopyFrom(any_of(policy_rules(found.policy)))
    return line
