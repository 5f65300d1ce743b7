"""Inbound policies as Envoy RBAC rules: HTTP requests get 403, connections are closed. Pure.

For HTTP the rules travel with the route table, so that a new policy holds at once for connections that are
open already; a listener's filters bind new connections only. What only an `audit` policy lets in is denied
by Envoy's shadow rules, which change nothing but mark it for the log.
"""

from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.access_loggers.stream.v3 import stream_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.type.matcher.v3 import path_pb2

from lab.controlplane.model.ir import Allow, Clause, Inbound, InboundPort, Match, Network, Policy
from lab.controlplane.xds.http import http_filter, network_filter
from lab.controlplane.xds.matches import route_match, text_matcher
from lab.controlplane.xds.messages import any_of, boolean, network_range

HTTP_RBAC = "envoy.filters.http.rbac"
NETWORK_RBAC = "envoy.filters.network.rbac"
_AUDIT = (
    "audit: allowed, though no authorization names it: client=%DOWNSTREAM_PEER_DNS_SAN% "
    "address=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% port=%DOWNSTREAM_LOCAL_PORT%"
)
Place = tuple[Policy, Any]
"""A policy, and the permission that says where it holds."""


def http_check() -> Any:
    """The filter that checks each request by the rules of its route, and lets all pass without any."""
    return http_filter(HTTP_RBAC, http_rbac_pb2.RBAC(), on_request=True)


def http_rules(inbound: Inbound) -> Any | None:
    """The rules for a route table; None if everyone may do everything."""
    places = _places(inbound)
    return _per_route(places) if any(_has_rules(policy) for policy, _ in places) else None


def policy_rules(policy: Policy) -> Any:
    """The rules for one route, or for a table whose requests all have one policy."""
    return _per_route([(policy, rbac_pb2.Permission(any=True))])


def no_rules() -> Any:
    """For a route that answers whoever asks."""
    return http_rbac_pb2.RBACPerRoute(rbac=http_rbac_pb2.RBAC())


def network_check(inbound: Inbound) -> tuple[Any, ...]:
    """The filter that checks each connection; what is allowed for some requests only does not count here."""
    places = _places(inbound)
    if not any(_has_rules(policy) for policy, _ in places):
        return ()
    config = network_rbac_pb2.RBAC(
        rules=_rules(places, requests=False, shadow=False),
        shadow_rules=_shadow(places, requests=False),
        stat_prefix="inbound.",
    )
    return (network_filter(NETWORK_RBAC, config),)


def audit_log(inbound: Inbound, *, http: bool) -> tuple[Any, ...]:
    """Loggers of what only an `audit` policy lets in; a pod without one has none."""
    policies = [policy for port in (*inbound.ports, inbound.other) for policy in _policies(port)]
    if not any(policy.audit for policy in policies):
        return ()
    text = "%REQ(:METHOD)% %REQ(:PATH)%" if http else "TCP"
    logger = stream_pb2.StdoutAccessLog()
    logger.log_format.text_format_source.inline_string = f"{_AUDIT} {text}\n"
    found = accesslog_pb2.AccessLog(name="audit", typed_config=any_of(logger))
    condition = found.filter.metadata_filter
    condition.matcher.filter = HTTP_RBAC if http else NETWORK_RBAC
    condition.matcher.path.add(key="shadow_engine_result")
    condition.matcher.value.string_match.exact = "denied"
    condition.match_if_key_not_found.CopyFrom(boolean(False))
    return (found,)


def _policies(port: InboundPort) -> list[Policy]:
    return [port.policy, *(route.policy for route in port.routes)]


def _has_rules(policy: Policy) -> bool:
    return policy.audit or not policy.everyone


def _places(inbound: Inbound) -> list[Place]:
    """Each port with its policy, and the policy of all others."""
    found = [(port.policy, rbac_pb2.Permission(destination_port=port.port)) for port in inbound.ports]
    if not found:
        return [(inbound.other.policy, rbac_pb2.Permission(any=True))]
    listed = rbac_pb2.Permission.Set(rules=[place for _, place in found])
    others = rbac_pb2.Permission(not_rule=rbac_pb2.Permission(or_rules=listed))
    return [*found, (inbound.other.policy, others)]


def _per_route(places: list[Place]) -> Any:
    config = http_rbac_pb2.RBAC(
        rules=_rules(places, requests=True, shadow=False), shadow_rules=_shadow(places, requests=True)
    )
    return http_rbac_pb2.RBACPerRoute(rbac=config)


def _shadow(places: list[Place], *, requests: bool) -> Any | None:
    if not any(policy.audit for policy, _ in places):
        return None
    return _rules(places, requests=requests, shadow=True)


def _rules(places: list[Place], *, requests: bool, shadow: bool) -> Any:
    policies = {}
    for number, (policy, place) in enumerate(places):
        if not policy.audit if shadow else policy.everyone:
            anybody = rbac_pb2.Principal(any=True)
            policies[f"{number:03}"] = rbac_pb2.Policy(permissions=[place], principals=[anybody])
            continue
        for index, allow in enumerate(policy.allow):
            if requests or not allow.matches:
                policies[f"{number:03}/{index:03}"] = _policy(allow, place)
    return rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW, policies=policies)


def _policy(allow: Allow, place: Any) -> Any:
    permissions = [_permission(match, place) for match in allow.matches] or [place]
    principals = [_principal(clause) for clause in allow.clauses]
    together = principals[0]
    if len(principals) > 1:
        together = rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))
    return rbac_pb2.Policy(permissions=permissions, principals=[together])


def _permission(match: Match, place: Any) -> Any:
    rules = [place, _path(match)]
    rules += [rbac_pb2.Permission(header=found) for found in route_match(match).headers]
    return rbac_pb2.Permission(and_rules=rbac_pb2.Permission.Set(rules=rules))


def _path(match: Match) -> Any:
    if match.path_kind == "prefix" and match.path == "/":
        return rbac_pb2.Permission(any=True)
    if match.path_kind == "prefix":
        parts = [text_matcher("exact", match.path), text_matcher("prefix", f"{match.path}/")]
    else:
        parts = [text_matcher(match.path_kind, match.path)]
    rules = [rbac_pb2.Permission(url_path=path_pb2.PathMatcher(path=part)) for part in parts]
    return rules[0] if len(rules) == 1 else rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=rules))


def _principal(clause: Clause) -> Any:
    found = [_identity(identity) for identity in clause.identities]
    found += [_network(network) for network in clause.networks]
    return found[0] if len(found) == 1 else rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=found))


def _identity(identity: str) -> Any:
    """A DNS name of the client's certificate; "*" is any client with a certificate, "" nobody."""
    if not identity:
        return rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))
    authenticated = rbac_pb2.Principal.Authenticated()
    if identity != "*":
        kind, value = ("suffix", identity[1:]) if identity.startswith("*") else ("exact", identity)
        authenticated.principal_name.CopyFrom(text_matcher(kind, value))
    return rbac_pb2.Principal(authenticated=authenticated)


def _network(network: Network) -> Any:
    inside = rbac_pb2.Principal(direct_remote_ip=network_range(network.cidr))
    if not network.excepted:
        return inside
    outside = [rbac_pb2.Principal(direct_remote_ip=network_range(cidr)) for cidr in network.excepted]
    without = rbac_pb2.Principal(not_id=rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=outside)))
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=[inside, without]))
