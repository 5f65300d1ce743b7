"""The yardstick: Envoy configurations written by hand for the same hops with the same TLS as the lab's mesh,
without a control plane. Pure.

Client sidecar → server sidecar, and client sidecar → gateway → server sidecar. The sidecars capture by the
same rules as those of the mesh, HTTP/1.1 goes end to end over mutual TLS 1.3, and the server learns
who calls. Nothing else is configured: no statistics sinks, access logs, limits or retries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.controlplane.inject.settings import APP_MARK, INBOUND_PORT, OUTBOUND_PORT, PROXY_MARK

Message = dict[str, Any]

APP_PORT = 8080
BODY = "x" * 127 + "\n"
CERTIFICATES = "/etc/bench-tls"
_TYPE = "type.googleapis.com/envoy.extensions."
_HCM = "envoy.filters.network.http_connection_manager"
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": _TYPE + "filters.http.router.v3.Router"},
}


@dataclass(frozen=True)
class Upstream:
    """Where a hop sends requests on: an address whose certificate has `name`; `host` replaces Host."""

    address: str
    port: int
    name: str
    host: str = ""


def backend(body: str = BODY) -> Message:
    """The app: answers every request at once."""
    answer = {"status": 200, "body": {"inline_string": body}}
    routes = [{"match": {"prefix": "/"}, "direct_response": answer}]
    return _server([_listener(APP_PORT, [_chain(_manager(routes))])], [])


def client_sidecar(upstreams: Mapping[str, Upstream]) -> Message:
    """Captures outbound connections; `upstreams` by the ClusterIP that the app dials."""
    chains, clusters = [], []
    for number, (address, upstream) in enumerate(upstreams.items()):
        action = {"cluster": f"up{number}"} | (
            {"host_rewrite_literal": upstream.host} if upstream.host else {}
        )
        match = {"prefix_ranges": [{"address_prefix": address, "prefix_len": 32}], "destination_port": 80}
        routes = [{"match": {"prefix": "/"}, "route": action | {"timeout": "0s"}}]
        chains.append(_chain(_manager(routes)) | {"filter_chain_match": match})
        clusters.append(_tls_cluster(f"up{number}", upstream))
    filters = [_listener_filter("original_dst.v3.OriginalDst", "original_dst")]
    return _server([_listener(OUTBOUND_PORT, chains, filters)], clusters)


def server_sidecar() -> Message:
    """Captures inbound connections: mutual TLS only, on to the app at the address that was dialled."""
    identity = {
        "header": {"key": "l5d-client-id", "value": "%DOWNSTREAM_PEER_DNS_SAN%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "0s"}}]
    chain = _chain(_manager(routes, {"request_headers_to_add": [identity]})) | {
        "filter_chain_match": {"transport_protocol": "tls"},
        "transport_socket": _server_tls(),
    }
    app = {
        "name": "app",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "upstream_bind_config": _marked(APP_MARK),
    }
    filters = [
        _listener_filter("original_dst.v3.OriginalDst", "original_dst"),
        _listener_filter("tls_inspector.v3.TlsInspector", "tls_inspector"),
    ]
    return _server([_listener(INBOUND_PORT, [chain], filters)], [app])


def gateway(hosts: Mapping[str, Upstream]) -> Message:
    """Mutual TLS in, mutual TLS out, one virtual host per service."""
    virtual = [
        {
            "name": host,
            "domains": [host],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": host, "timeout": "0s"}}],
        }
        for host in hosts
    ]
    manager = _manager([], {"virtual_hosts": virtual})
    chain = _chain(manager) | {"transport_socket": _server_tls()}
    return _server([_listener(INBOUND_PORT, [chain])], [_tls_cluster(host, up) for host, up in hosts.items()])


def _server(listeners: list[Message], clusters: list[Message]) -> Message:
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _listener(port: int, chains: list[Message], filters: list[Message] | None = None) -> Message:
    address = {"socket_address": {"address": "0.0.0.0", "port_value": port}}
    return {
        "name": str(port),
        "address": address,
        "listener_filters": filters or [],
        "filter_chains": chains,
    }


def _listener_filter(kind: str, name: str) -> Message:
    config = {"@type": f"{_TYPE}filters.listener.{kind}"}
    return {"name": f"envoy.filters.listener.{name}", "typed_config": config}


def _chain(manager: Message) -> Message:
    return {"filters": [{"name": _HCM, "typed_config": manager}]}


def _manager(routes: list[Message], more: Message | None = None) -> Message:
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    return {
        "@type": _TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "route_config": {"virtual_hosts": hosts} | (more or {}),
        "http_filters": [_ROUTER],
        "generate_request_id": False,
    }


def _tls_cluster(name: str, upstream: Upstream) -> Message:
    address = {"socket_address": {"address": upstream.address, "port_value": upstream.port}}
    validation = {
        "trusted_ca": {"filename": f"{CERTIFICATES}/ca.pem"},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": upstream.name}}],
    }
    context = {
        "@type": _TYPE + "transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": upstream.name,
        "common_tls_context": _tls() | {"validation_context": validation},
    }
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "upstream_bind_config": _marked(),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }


def _server_tls() -> Message:
    validation = {"trusted_ca": {"filename": f"{CERTIFICATES}/ca.pem"}}
    context = {
        "@type": _TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": _tls() | {"validation_context": validation},
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _tls() -> Message:
    pair = {
        "certificate_chain": {"filename": f"{CERTIFICATES}/cert.pem"},
        "private_key": {"filename": f"{CERTIFICATES}/key.pem"},
    }
    versions = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
    return {"tls_params": versions, "tls_certificates": [pair]}


def _marked(mark: int = PROXY_MARK) -> Message:
    """Connections that the capture rules let pass."""
    option = {"level": 1, "name": 36, "int_value": mark, "state": "STATE_PREBIND"}
    return {"source_address": {"address": "0.0.0.0", "port_value": 0}, "socket_options": [option]}
