"""How a proxy reaches pools and its own app: Envoy clusters. Pure.

Balancing imitates Linkerd's: power of two choices among endpoints that can be connected to. An endpoint whose
connection fails once leaves the balancer for about a second (Linkerd: until its background reconnect
succeeds), and nobody is chosen in panic: no endpoint means 503. Passive: Envoy notices by a request, which
the retry policy (routes.py) then repeats elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import address_pb2, config_source_pb2, protocol_pb2, socket_option_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.upstream_codec.v3 import upstream_codec_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2

from lab.controlplane.identity import sds
from lab.controlplane.model.ir import Accrual, Cluster
from lab.controlplane.model.profile import LATEST, Profile
from lab.controlplane.xds import names
from lab.controlplane.xds.endpoints import LAB_METADATA
from lab.controlplane.xds.messages import any_of, duration, header, uint32
from lab.controlplane.xds.tls import PLAINTEXT, client_socket, cut_marker, plaintext_socket, socket_label

CONNECT_TIMEOUT = 1.0
LOCAL_CONNECT_TIMEOUT = 0.3
EJECTION = 1.0
LONGEST_EJECTION = 5.0
PATIENT_FAILURES = 5
_NO_LIMIT = 1 << 30
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True)
class Settings:
    """What all clusters of a mesh share: behaviour profile and where proxies keep their certificates."""

    profile: Profile = LATEST
    secrets: Path = sds.DIRECTORY


def outbound_cluster(cluster: Cluster, settings: Settings, cut: str = "") -> Any:
    """The cluster over one pool, by mutual TLS except to endpoints marked as plaintext. When `cut` changes,
    its connections are made anew."""
    # What goes to a gateway as TCP goes inside HTTP/2, whose protocol name the gateway needs not be told.
    alpn = (names.TCP_ALPN,) if cluster.tcp and not cluster.gateway else ()
    plain = cluster_pb2.Cluster.TransportSocketMatch(
        name=PLAINTEXT, match=socket_label(PLAINTEXT), transport_socket=plaintext_socket()
    )
    found = cluster_pb2.Cluster(
        name=cluster.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(
            eds_config=ads_source(), service_name=cluster.pool
        ),
        connect_timeout=duration(CONNECT_TIMEOUT),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            healthy_panic_threshold=percent_pb2.Percent(value=0),
            # By default Envoy holds the second of two ejections back for up to a second.
            update_merge_window=duration(0),
            locality_weighted_lb_config=cluster_pb2.Cluster.CommonLbConfig.LocalityWeightedLbConfig(),
        ),
        circuit_breakers=_no_limits(),
        outlier_detection=_outliers(cluster.accrual, PATIENT_FAILURES if cluster.patient else 1),
        transport_socket=client_socket(settings.secrets, alpn),
        transport_socket_matches=[plain],
        upstream_bind_config=marked(),
        metadata=cut_marker(cut),
    )
    if not cluster.tcp or cluster.gateway:
        options = _http_options(settings.profile, tunnel=cluster.tcp, gateway=cluster.gateway)
        found.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(any_of(options))
    return found


def passthrough_cluster() -> Any:
    """Whatever is no Service of ours: to where the app wanted to go, untouched."""
    return _original_destination(names.PASSTHROUGH, CONNECT_TIMEOUT, names.PROXY_MARK)


def local_clusters() -> tuple[Any, Any]:
    """The app of this pod, by HTTP and by plain TCP, at the address its client dialled."""
    http = _original_destination(names.LOCAL_HTTP, LOCAL_CONNECT_TIMEOUT, names.APP_MARK)
    options = http_protocol_options_pb2.HttpProtocolOptions(
        use_downstream_protocol_config=_both_protocols(None)
    )
    http.typed_extension_protocol_options[_HTTP_OPTIONS].CopyFrom(any_of(options))
    return http, _original_destination(names.LOCAL_TCP, LOCAL_CONNECT_TIMEOUT, names.APP_MARK)


def ads_source() -> Any:
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
    )


def marked(mark: int = names.PROXY_MARK) -> Any:
    """Sockets that the pod's capture rules know by their mark."""
    option = socket_option_pb2.SocketOption(
        description="SO_MARK",
        level=1,
        name=36,
        int_value=mark,
        state=socket_option_pb2.SocketOption.STATE_PREBIND,
    )
    source = address_pb2.SocketAddress(address="0.0.0.0", port_value=0)
    return address_pb2.BindConfig(source_address=source, socket_options=[option])


def _original_destination(name: str, connect_timeout: float, mark: int) -> Any:
    return cluster_pb2.Cluster(
        name=name,
        type=cluster_pb2.Cluster.ORIGINAL_DST,
        lb_policy=cluster_pb2.Cluster.CLUSTER_PROVIDED,
        connect_timeout=duration(connect_timeout),
        circuit_breakers=_no_limits(),
        upstream_bind_config=marked(mark),
    )


def _outliers(accrual: Accrual | None, connect_failures: int) -> Any:
    """`connect_failures` connections in a row that fail eject an endpoint; answers do so by `accrual`."""
    longest = max(accrual.max_penalty if accrual else 0, LONGEST_EJECTION)
    return outlier_detection_pb2.OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=uint32(connect_failures),
        enforcing_consecutive_local_origin_failure=uint32(100),
        consecutive_5xx=uint32(accrual.max_failures if accrual else _NO_LIMIT),
        enforcing_consecutive_5xx=uint32(100 if accrual else 0),
        enforcing_consecutive_gateway_failure=uint32(0),
        enforcing_success_rate=uint32(0),
        enforcing_local_origin_success_rate=uint32(0),
        enforcing_failure_percentage=uint32(0),
        enforcing_failure_percentage_local_origin=uint32(0),
        interval=duration(0.5 if accrual else EJECTION),
        base_ejection_time=duration(max(accrual.min_penalty, 0.1) if accrual else EJECTION),
        max_ejection_time=duration(longest),
        max_ejection_time_jitter=duration(accrual.min_penalty * accrual.jitter if accrual else 0),
        max_ejection_percent=uint32(100),
    )


def _no_limits() -> Any:
    """Envoy's default limits (1024 requests, 3 retries at once) would look like faults of the mesh."""
    limits = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=uint32(_NO_LIMIT),
        max_pending_requests=uint32(_NO_LIMIT),
        max_requests=uint32(_NO_LIMIT),
        max_retries=uint32(_NO_LIMIT),
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[limits])


def _http_options(profile: Profile, *, tunnel: bool, gateway: bool) -> Any:
    """HTTP/1.1 or HTTP/2 as the client speaks it; tunnels are HTTP/2 always."""
    keepalive = None
    if profile.keepalive:
        keepalive = protocol_pb2.KeepaliveSettings(interval=duration(10), timeout=duration(3))
    options = http_protocol_options_pb2.HttpProtocolOptions()
    if tunnel:
        http2 = protocol_pb2.Http2ProtocolOptions(connection_keepalive=keepalive)
        options.explicit_http_config.http2_protocol_options.CopyFrom(http2)
    else:
        options.use_downstream_protocol_config.CopyFrom(_both_protocols(keepalive))
    if gateway and not tunnel:
        options.http_filters.extend(_gateway_filters())
    return options


def _both_protocols(keepalive: Any) -> Any:
    return http_protocol_options_pb2.HttpProtocolOptions.UseDownstreamHttpConfig(
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(connection_keepalive=keepalive),
    )


def _gateway_filters() -> list[Any]:
    """Tell the gateway what is wanted. Runs after the endpoint is chosen, so pods beside gateways get no
    header.
    """
    value = f"%UPSTREAM_METADATA({LAB_METADATA}:authority)%"
    change = mutation_rules_pb2.HeaderMutation(
        append=header(names.DESTINATION, value, "OVERWRITE_IF_EXISTS_OR_ADD")
    )
    mutations = header_mutation_pb2.Mutations(request_mutations=[change])
    config = header_mutation_pb2.HeaderMutation(mutations=mutations)
    return [
        hcm.HttpFilter(name="gateway-destination", typed_config=any_of(config)),
        hcm.HttpFilter(name="upstream-codec", typed_config=any_of(upstream_codec_pb2.UpstreamCodec())),
    ]
