"""The listener of an east-west gateway: mutual TLS in, exported Services only, mutual TLS out as the
gateway. Pure.

Whom the policy of the gateway's own port does not let in gets 403. The client's proxy says in a header which
service it wants. The gateway adds who it forwards for, and refuses (508) what has passed a gateway of this
name before.
"""

from typing import Any

from envoy.config.core.v3 import protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2 as lc
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from lab.controlplane.model.ir import Exported, Gateway
from lab.controlplane.xds import names
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.http import HCM, network_filter, routed
from lab.controlplane.xds.inbound import TLS, tls_inspector
from lab.controlplane.xds.matches import text_matcher
from lab.controlplane.xds.messages import any_of, duration, header, socket_address, uint32
from lab.controlplane.xds.rbac import HTTP_RBAC, http_check, policy_rules
from lab.controlplane.xds.routes import error, route
from lab.controlplane.xds.tls import cut_marker, server_socket

GATEWAY = "gateway"
FORWARDED = "forwarded"


def gateway_listener(settings: Settings, cut: str = "") -> Any:
    """The listener at 4143; only the route table behind it changes, and `cut`, by which connections are made
    anew."""
    manager = routed(GATEWAY, GATEWAY, (http_check(),))
    manager.upgrade_configs.append(hcm.HttpConnectionManager.UpgradeConfig(upgrade_type="CONNECT"))
    manager.http2_protocol_options.CopyFrom(protocol_pb2.Http2ProtocolOptions(allow_connect=True))
    chain = lc.FilterChain(
        name=GATEWAY,
        filter_chain_match=lc.FilterChainMatch(transport_protocol=TLS),
        filters=[network_filter(HCM, manager)],
        transport_socket=server_socket(settings.secrets),
        metadata=cut_marker(cut),
    )
    return listener_pb2.Listener(
        name=names.INBOUND,
        stat_prefix=names.INBOUND,
        address=socket_address("0.0.0.0", names.INBOUND_PORT),
        traffic_direction=1,
        listener_filters=[tls_inspector()],
        filter_chains=[chain],
        per_connection_buffer_limit_bytes=uint32(1 << 20),
    )


def gateway_routes(gateway: Gateway) -> Any:
    """One virtual host per exported Service port; any other name gets 404."""
    found = route_pb2.RouteConfiguration(
        name=GATEWAY,
        vhost_header=names.DESTINATION,
        virtual_hosts=[_host(exported, gateway.identity) for exported in gateway.exported],
        request_headers_to_add=[_forwarded(gateway.identity)],
        request_headers_to_remove=[names.DESTINATION, names.CLIENT_ID],
    )
    found.typed_per_filter_config[HTTP_RBAC].CopyFrom(any_of(policy_rules(gateway.policy)))
    return found


def _host(exported: Exported, identity: str) -> Any:
    routes = [_loop(identity, connect=True), _loop(identity)]
    if exported.tcp_cluster:
        routes.append(_tunnel(exported.tcp_cluster))
    for entry in exported.table.entries:
        found = route(entry)
        if found.HasField("route") and not found.route.host_rewrite_literal:
            found.route.host_rewrite_literal = exported.authority
        routes.append(found)
    return rc.VirtualHost(name=str(exported.ref), domains=[exported.authority], routes=routes)


def _tunnel(cluster: str) -> Any:
    action = rc.RouteAction(cluster=cluster, timeout=duration(0))
    action.upgrade_configs.append(
        rc.RouteAction.UpgradeConfig(
            upgrade_type="CONNECT", connect_config=rc.RouteAction.UpgradeConfig.ConnectConfig()
        )
    )
    match = rc.RouteMatch(connect_matcher=rc.RouteMatch.ConnectMatcher())
    return rc.Route(match=match, route=action, name="tcp")


def _loop(identity: str, *, connect: bool = False) -> Any:
    """What this gateway, or one of the same name, has forwarded already."""
    match = (
        rc.RouteMatch(connect_matcher=rc.RouteMatch.ConnectMatcher())
        if connect
        else rc.RouteMatch(prefix="/")
    )
    seen = rc.HeaderMatcher(name=FORWARDED)
    seen.string_match.CopyFrom(text_matcher("contains", f"by={identity};"))
    match.headers.append(seen)
    return rc.Route(match=match, direct_response=error(508, "forwarded by this gateway before"), name="loop")


def _forwarded(identity: str) -> Any:
    value = f"by={identity};for=%DOWNSTREAM_PEER_DNS_SAN%;host=%REQ(:AUTHORITY)%;proto=https"
    return header(FORWARDED, value, "APPEND_IF_EXISTS_OR_ADD")
