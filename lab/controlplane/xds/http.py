"""HTTP connection managers as all listeners of the proxy share them. Pure.

The proxy is transparent: it adds no request id, no x-forwarded-for, no server header, and sets no limits of
its own.
"""

from typing import Any

from envoy.config.core.v3 import protocol_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from lab.controlplane.xds import browsers
from lab.controlplane.xds.clusters import ads_source
from lab.controlplane.xds.messages import any_of, boolean, duration

HCM = "envoy.filters.network.http_connection_manager"


def connection_manager(stat_prefix: str, filters: tuple[Any, ...] = ()) -> Any:
    """A manager without routes; `filters` come before the router."""
    return hcm.HttpConnectionManager(
        stat_prefix=stat_prefix,
        codec_type=hcm.HttpConnectionManager.AUTO,
        http_filters=[*filters, _ROUTER],
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(accept_http_10=True),
        upgrade_configs=[hcm.HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
        stream_idle_timeout=duration(0),
        generate_request_id=boolean(False),
        skip_xff_append=True,
        use_remote_address=boolean(False),
        server_header_transformation=hcm.HttpConnectionManager.PASS_THROUGH,
        preserve_external_request_id=True,
    )


def routed(stat_prefix: str, table: str, first: tuple[Any, ...] = ()) -> Any:
    """A manager that takes the route table of this name from the control plane."""
    filters = (http_filter(name, config, on_request=True) for name, config in browsers.FILTERS)
    return use_ads_routes(connection_manager(stat_prefix, (*first, *filters)), table)


def use_ads_routes(manager: Any, table: str) -> Any:
    """Take the route table of this name from the control plane."""
    manager.rds.CopyFrom(hcm.Rds(config_source=ads_source(), route_config_name=table))
    return manager


def network_filter(name: str, config: Any) -> Any:
    return listener_components_pb2.Filter(name=name, typed_config=any_of(config))


def http_filter(name: str, config: Any, *, on_request: bool = False) -> Any:
    """An HTTP filter; one `on_request` costs nothing but where a route has settings for it."""
    return hcm.HttpFilter(name=name, typed_config=any_of(config), disabled=on_request)


_ROUTER = http_filter("envoy.filters.http.router", router_pb2.Router(suppress_envoy_headers=True))
