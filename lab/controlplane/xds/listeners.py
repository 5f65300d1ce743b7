"""The outbound listener: one filter chain or two per Service port, found by the address that the app
dialled. Pure.

A port that may carry HTTP has a chain for connections that start like HTTP, and one for all others; an
opaque port has only the latter. Whatever is no Service of this cluster passes through untouched.
"""

from collections.abc import Iterable
from typing import Any

from envoy.config.listener.v3 import listener_components_pb2 as lc
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.type.v3 import range_pb2

from lab.controlplane.model.ir import OutboundPort
from lab.controlplane.model.services import DEFAULT_OPAQUE, port_ranges
from lab.controlplane.xds import names
from lab.controlplane.xds.http import HCM, network_filter, routed
from lab.controlplane.xds.messages import any_of, duration, header, host_range, socket_address, uint32

HTTP_VERSIONS = ("http/1.0", "http/1.1", "h2c")
# How long a connection on which the client says nothing first waits before it is taken for plain TCP.
DETECT_TIMEOUT = 0.5
TCP_PROXY = "envoy.filters.network.tcp_proxy"


def outbound_listener(ports: Iterable[OutboundPort], chains: Iterable[Any]) -> Any:
    """The listener at 4140 with the filter chains of all Service ports."""
    passthrough = lc.FilterChain(
        name=names.PASSTHROUGH, filters=[tcp_filter(names.PASSTHROUGH, names.PASSTHROUGH)]
    )
    return listener_pb2.Listener(
        name=names.OUTBOUND,
        stat_prefix=names.OUTBOUND,
        address=socket_address("0.0.0.0", names.OUTBOUND_PORT),
        traffic_direction=2,
        listener_filters=[original_destination(), http_inspector(silent_ports(ports))],
        listener_filters_timeout=duration(DETECT_TIMEOUT),
        continue_on_listener_filters_timeout=True,
        filter_chains=chains,
        default_filter_chain=passthrough,
        per_connection_buffer_limit_bytes=uint32(1 << 20),
    )


def service_chains(port: OutboundPort) -> tuple[Any, ...]:
    """The filter chains of one Service port."""
    chains = []
    if port.protocol != "opaque":
        manager = routed(f"{names.OUTBOUND}-{port.ref}", port.table)
        match = _match(port)
        if port.protocol == "detect":
            match.application_protocols.extend(HTTP_VERSIONS)
        chains.append(
            lc.FilterChain(
                name=f"http/{port.ref}", filter_chain_match=match, filters=[network_filter(HCM, manager)]
            )
        )
    if port.protocol != "http":
        proxy = tcp_filter(port.tcp_cluster, f"{names.OUTBOUND}-{port.ref}", port.tunnel)
        chains.append(
            lc.FilterChain(name=f"tcp/{port.ref}", filter_chain_match=_match(port), filters=[proxy])
        )
    return tuple(chains)


def tcp_filter(cluster: str, stat_prefix: str, tunnel: str = "") -> Any:
    """Forward bytes to a cluster; with `tunnel`, inside an HTTP/2 CONNECT for that name."""
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=stat_prefix, cluster=cluster, max_connect_attempts=uint32(3))
    if tunnel:
        destination = header(names.DESTINATION, tunnel, "OVERWRITE_IF_EXISTS_OR_ADD")
        proxy.tunneling_config.CopyFrom(
            tcp_proxy_pb2.TcpProxy.TunnelingConfig(hostname=tunnel, headers_to_add=[destination])
        )
    return network_filter(TCP_PROXY, proxy)


def original_destination() -> Any:
    return lc.ListenerFilter(
        name="envoy.filters.listener.original_dst", typed_config=any_of(original_dst_pb2.OriginalDst())
    )


def http_inspector(silent: tuple[int, ...] = ()) -> Any:
    """Detects HTTP by the client's first bytes, except on ports where the server may speak first."""
    found = lc.ListenerFilter(
        name="envoy.filters.listener.http_inspector", typed_config=any_of(http_inspector_pb2.HttpInspector())
    )
    rules = [
        lc.ListenerFilterChainMatchPredicate(
            destination_port_range=range_pb2.Int32Range(start=port, end=port + 1)
        )
        for port in silent
    ]
    if len(rules) == 1:
        found.filter_disabled.CopyFrom(rules[0])
    elif rules:
        found.filter_disabled.or_match.CopyFrom(lc.ListenerFilterChainMatchPredicate.MatchSet(rules=rules))
    return found


def silent_ports(ports: Iterable[OutboundPort]) -> tuple[int, ...]:
    """Port numbers that are opaque on every Service that has them; the inspector can be told ports only."""
    opaque = {low for low, _ in port_ranges(DEFAULT_OPAQUE)}
    detected: set[int] = set()
    for port in ports:
        (opaque if port.protocol == "opaque" else detected).add(port.number)
    return tuple(sorted(opaque - detected))


def _match(port: OutboundPort) -> Any:
    return lc.FilterChainMatch(prefix_ranges=[host_range(port.address)], destination_port=uint32(port.number))
