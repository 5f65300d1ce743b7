"""Envoy's bootstrap for a sidecar or gateway: who it is, where the control plane is, and its admin port.
Pure.

Everything else comes over ADS. Port 4191 is a static listener of Envoy itself (only /metrics is answered by
the launcher, in Linkerd's names; /metrics/envoy has Envoy's), so it answers exactly
when the data plane lives: Envoy opens it after its certificates and the first listeners and clusters
have arrived.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.controlplane.identity import sds
from lab.controlplane.identity.names import (
    CLUSTER_DOMAIN,
    TRUST_DOMAIN,
    control_plane_host,
    control_plane_name,
)
from lab.controlplane.inject.settings import ADMIN_PORT, PROXY_MARK
from lab.controlplane.proxy.metrics import LATENCIES_MS

Message = dict[str, Any]

DESTINATION_PORT = 8086
SO_MARK, SOL_SOCKET = 36, 1
MAX_CONNECTIONS = 10_000
PROBES_RECONNECT = "10s"
_TYPE = "type.googleapis.com/envoy.extensions."


@dataclass(frozen=True)
class Identity:
    """The pod that the proxy belongs to."""

    pod: str
    namespace: str
    service_account: str
    role: str = "sidecar"
    cluster: str = ""


@dataclass(frozen=True)
class Places:
    """Where the proxy keeps files and finds the control plane."""

    certificates: Path = sds.DIRECTORY
    admin: Path = sds.DIRECTORY / "admin.sock"
    metrics: Path = sds.DIRECTORY / "metrics.sock"
    destination: str = control_plane_host("linkerd-destination", CLUSTER_DOMAIN)
    port: int = DESTINATION_PORT
    admin_port: int = ADMIN_PORT


# A regular expression of a route may be as long as the API lets it be. Envoy's own limit (100 instructions)
# would refuse the route table that it is in; RE2's limit of memory still holds.
RUNTIME = {
    "re2.max_program_size.error_level": 1_000_000,
    "re2.max_program_size.warn_level": 1_000_000,
}

# Envoy's own timeouts wake each of its threads ten times a second, only to count slow event loops. The one
# monitor of the overload manager counts as connections come, and needs no regular refresh either.
WATCHDOG = {"miss_timeout": "30s", "megamiss_timeout": "30s"}


def bootstrap(identity: Identity, places: Places) -> Message:
    """The whole bootstrap, ready to be written as JSON."""
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    # Envoy's own default waits up to 30 s before it tries a control plane that came back.
    retry = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}}
    return {
        "node": {
            "id": f"{identity.pod}.{identity.namespace}",
            "cluster": f"{identity.service_account}.{identity.namespace}",
            "metadata": {"namespace": identity.namespace, "pod": identity.pod, "role": identity.role},
        },
        "admin": {"address": {"pipe": {"path": str(places.admin), "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {"envoy_grpc": {"cluster_name": "linkerd-destination", "retry_policy": retry}}
                ],
            },
            "lds_config": source,
            "cds_config": source,
        },
        "static_resources": {
            "listeners": [admin_listener(places)],
            "clusters": [
                destination_cluster(places),
                local_cluster("admin", places.admin),
                local_cluster("metrics", places.metrics),
            ],
        },
        # A cluster that nobody calls needs no counters: most proxies call few of the clusters that they know.
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "stats_config": {"histogram_bucket_settings": [_latencies()]},
        "overload_manager": {"refresh_interval": "60s", "resource_monitors": [_connection_limit()]},
        "watchdogs": {"main_thread_watchdog": WATCHDOG, "worker_watchdog": WATCHDOG},
        "layered_runtime": {"layers": [{"name": "lab", "static_layer": RUNTIME}]},
    }


def destination_cluster(places: Places) -> Message:
    """The control plane: mTLS as this workload, and only to `linkerd-destination`."""
    name = control_plane_name("linkerd-destination", TRUST_DOMAIN)
    return {
        "name": "linkerd-destination",
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": {
                "@type": _TYPE + "clusters.dns.v3.DnsCluster",
                "dns_lookup_family": "V4_ONLY",
                "dns_refresh_rate": "30s",
                "dns_failure_refresh_rate": {"base_interval": "0.05s", "max_interval": "1s"},
            },
        },
        "connect_timeout": "1s",
        "upstream_bind_config": marked(),
        "load_assignment": _endpoint("linkerd-destination", _address(places.destination, places.port)),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _TYPE + "upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    "http2_protocol_options": {
                        "connection_keepalive": {"interval": "10s", "timeout": "3s"},
                    }
                },
            }
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": _TYPE + "transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": name,
                "common_tls_context": tls_context(places, name),
            },
        },
    }


def tls_context(places: Places, peer: str = "") -> Message:
    """The workload's pair and the trust roots from files; with `peer`, only that identity is accepted."""
    roots = sds.config_source(sds.TRUST_ROOTS, places.certificates)
    context: Message = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificate_sds_secret_configs": [sds.config_source(sds.IDENTITY, places.certificates)],
    }
    if peer:
        names = [{"san_type": "DNS", "matcher": {"exact": peer}}]
        context["combined_validation_context"] = {
            "default_validation_context": {"match_typed_subject_alt_names": names},
            "validation_context_sds_secret_config": roots,
        }
    else:
        context["validation_context_sds_secret_config"] = roots
    return context


def local_cluster(name: str, path: Path) -> Message:
    """Envoy's own admin interface, or the launcher: sockets that only this container sees."""
    pipe = {"pipe": {"path": str(path)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": _endpoint(name, pipe),
    }


def admin_listener(places: Places) -> Message:
    """4191, with TLS for meshed clients (the gateway probe) and without (the kubelet)."""
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": _TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "admin",
            "codec_type": "AUTO",
            # Who probes shows a certificate now and then, and is shown one: what has expired is noticed.
            "common_http_protocol_options": {"max_connection_duration": PROBES_RECONNECT},
            "http1_safe_max_connection_duration": True,
            "route_config": {
                "virtual_hosts": [{"name": "admin", "domains": ["*"], "routes": _admin_routes()}]
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": _TYPE + "filters.http.router.v3.Router"},
                }
            ],
        },
    }
    encrypted = {
        "filter_chain_match": {"transport_protocol": "tls"},
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": _TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True,
                "common_tls_context": {**tls_context(places), "alpn_protocols": ["h2", "http/1.1"]},
            },
        },
        "filters": [manager],
    }
    inspector = {"@type": _TYPE + "filters.listener.tls_inspector.v3.TlsInspector"}
    return {
        "name": "admin",
        "address": _address("0.0.0.0", places.admin_port),
        "listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}],
        "filter_chains": [encrypted, {"filters": [manager]}],
    }


def marked() -> Message:
    """Socket options that exempt the proxy's own connections from capture."""
    option = {
        "description": "not captured again",
        "level": SOL_SOCKET,
        "name": SO_MARK,
        "int_value": PROXY_MARK,
        "state": "STATE_PREBIND",
    }
    return {"source_address": {"address": "0.0.0.0", "port_value": 0}, "socket_options": [option]}


def _admin_routes() -> list[Message]:
    def to(cluster: str, path: str, rewrite: str, method: str = "GET") -> Message:
        match = {"path": path, "headers": [{"name": ":method", "string_match": {"exact": method}}]}
        return {"match": match, "route": {"cluster": cluster, "prefix_rewrite": rewrite}}

    live = {
        "match": {"path": "/live"},
        "direct_response": {"status": 200, "body": {"inline_string": "live\n"}},
    }
    return [
        to("admin", "/ready", "/ready"),
        live,
        to("metrics", "/metrics", "/metrics"),
        to("admin", "/metrics/envoy", "/stats/prometheus?usedonly"),
        to("admin", "/shutdown", "/quitquitquit", "POST"),
    ]


def _latencies() -> Message:
    """The buckets of every histogram of request times."""
    return {"match": {"suffix": "rq_time"}, "buckets": list(LATENCIES_MS)}


def _connection_limit() -> Message:
    monitor = "envoy.resource_monitors.global_downstream_max_connections"
    kind = "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    config = {"@type": _TYPE + kind, "max_active_downstream_connections": MAX_CONNECTIONS}
    return {"name": monitor, "typed_config": config}


def _address(host: str, port: int) -> Message:
    return {"socket_address": {"address": host, "port_value": port}}


def _endpoint(cluster: str, address: Message) -> Message:
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
