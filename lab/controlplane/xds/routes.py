"""Route tables as Envoy RouteConfigurations. Pure.

Every route repeats requests that provably never reached an app: the connection could not be made, was
refused as a stream, or broke before a byte of the request was sent. Linkerd has no such retry because its
balancer holds a request until some endpoint is connected; repeating it elsewhere comes to the same for the
caller. Nothing that an app may have seen is repeated unless a route asks for it.
"""

from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from google.protobuf.wrappers_pb2 import UInt32Value

from lab.controlplane.model.ir import Copy, Destination, Entry, HeaderChange, Retry, RouteTable, Timeouts
from lab.controlplane.xds import browsers, names
from lab.controlplane.xds.browsers import cors_policy, session_state
from lab.controlplane.xds.matches import route_match
from lab.controlplane.xds.messages import any_of, boolean, duration, header
from lab.controlplane.xds.paths import apply_rewrite, redirect_action

SAFE_TO_REPEAT = "connect-failure,refused-stream,reset-before-request"
CONNECT_RETRIES = 3


def route_configuration(table: RouteTable) -> Any:
    """The RDS resource of a table: one virtual host, because Services are told apart by address, never by
    Host.
    """
    return route_pb2.RouteConfiguration(
        name=table.name,
        virtual_hosts=[virtual_host(table, ["*"])],
        max_direct_response_body_size_bytes=UInt32Value(value=1024),
    )


def virtual_host(table: RouteTable, domains: list[str]) -> Any:
    return rc.VirtualHost(name=table.name, domains=domains, routes=[route(entry) for entry in table.entries])


def route(entry: Entry) -> Any:
    """One line of the table."""
    found = rc.Route(match=route_match(entry.match), name=entry.name)
    _apply_headers(found, entry.filters.request, entry.filters.response)
    if entry.filters.cors:
        found.typed_per_filter_config[browsers.CORS].CopyFrom(any_of(cors_policy(entry.filters.cors)))
    if entry.session:
        found.typed_per_filter_config[browsers.SESSION].CopyFrom(any_of(session_state(entry.session)))
    if entry.filters.redirect:
        found.redirect.CopyFrom(redirect_action(entry.filters.redirect))
    elif not entry.destinations:
        status = 503 if entry.grpc else 500
        found.direct_response.CopyFrom(error(status, "the route has no valid backend"))
    else:
        found.route.CopyFrom(_action(entry))
    return found


def error(status: int, reason: str) -> Any:
    return rc.DirectResponseAction(status=status, body=base_pb2.DataSource(inline_string=f"{reason}\n"))


def retry_policy(retry: Retry | None, timeouts: Timeouts) -> Any:
    """Connection-level retries always; more only if the route says so."""
    policy = rc.RetryPolicy(
        retry_on=SAFE_TO_REPEAT,
        num_retries=UInt32Value(value=max(CONNECT_RETRIES, retry.attempts if retry else 0)),
        retry_back_off=rc.RetryPolicy.RetryBackOff(
            base_interval=duration(0.005), max_interval=duration(0.05)
        ),
        retry_host_predicate=[
            rc.RetryPolicy.RetryHostPredicate(
                name="previous-hosts", typed_config=any_of(previous_hosts_pb2.PreviousHostsPredicate())
            )
        ],
        host_selection_retry_max_attempts=5,
    )
    if retry:
        policy.num_retries.value = retry.attempts
        conditions = [SAFE_TO_REPEAT, "reset", *retry.grpc]
        if retry.codes:
            conditions.append("retriable-status-codes")
            policy.retriable_status_codes.extend(retry.codes)
        policy.retry_on = ",".join(conditions)
        if retry.backoff:
            policy.retry_back_off.base_interval.CopyFrom(duration(retry.backoff))
            policy.retry_back_off.max_interval.CopyFrom(duration(retry.backoff * 2))
    if timeouts.attempt:
        policy.per_try_timeout.CopyFrom(duration(timeouts.attempt))
    return policy


def _action(entry: Entry) -> Any:
    action = rc.RouteAction(
        timeout=duration(entry.timeouts.request),
        retry_policy=retry_policy(entry.retry, entry.timeouts),
        request_mirror_policies=[_mirror(copy) for copy in entry.filters.copies],
        cluster_not_found_response_code=rc.RouteAction.SERVICE_UNAVAILABLE
        if entry.grpc
        else rc.RouteAction.INTERNAL_SERVER_ERROR,
    )
    if entry.timeouts.idle:
        action.idle_timeout.CopyFrom(duration(entry.timeouts.idle))
    if entry.filters.rewrite:
        apply_rewrite(action, entry.filters.rewrite)
    if len(entry.destinations) == 1 and _is_bare(entry.destinations[0]):
        action.cluster = entry.destinations[0].cluster
    else:
        weighted = [_weighted(destination) for destination in entry.destinations]
        action.weighted_clusters.CopyFrom(rc.WeightedCluster(clusters=weighted))
    return action


def _is_bare(destination: Destination) -> bool:
    filters = destination.filters
    return bool(destination.cluster) and filters.request == filters.response == HeaderChange()


def _weighted(destination: Destination) -> Any:
    found = rc.WeightedCluster.ClusterWeight(
        name=destination.cluster or names.INVALID_BACKEND, weight=UInt32Value(value=destination.weight)
    )
    _apply_headers(found, destination.filters.request, destination.filters.response)
    if destination.filters.rewrite and destination.filters.rewrite.host:
        found.host_rewrite_literal = destination.filters.rewrite.host
    return found


def _mirror(copy: Copy) -> Any:
    policy = rc.RouteAction.RequestMirrorPolicy(
        cluster=copy.cluster, disable_shadow_host_suffix_append=True, trace_sampled=boolean(False)
    )
    fraction = policy.runtime_fraction.default_value
    fraction.denominator = 2  # per million
    fraction.numerator = round(copy.numerator * 1_000_000 / copy.denominator)
    return policy


def _apply_headers(target: Any, request: HeaderChange, response: HeaderChange) -> None:
    """Works on every message that carries header changes (routes, cluster weights)."""
    target.request_headers_to_add.extend(_changes(request))
    target.request_headers_to_remove.extend(request.remove)
    target.response_headers_to_add.extend(_changes(response))
    target.response_headers_to_remove.extend(response.remove)


def _changes(change: HeaderChange) -> list[Any]:
    return [
        *(header(n, _literal(v), "OVERWRITE_IF_EXISTS_OR_ADD") for n, v in change.set),
        *(header(n, _literal(v), "APPEND_IF_EXISTS_OR_ADD") for n, v in change.add),
    ]


def _literal(value: str) -> str:
    """A header value in which Envoy must not look for its own variables."""
    return value.replace("%", "%%")
