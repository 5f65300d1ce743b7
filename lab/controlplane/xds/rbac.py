"""Inbound policies as Envoy RBAC rules: HTTP requests get 403, connections are closed. Pure.

One set of rules covers all ports of a pod. For HTTP it travels with the route table, so that a new policy
holds at once for connections that are open already; a listener's filters bind new connections only.
"""

from typing import Any

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.type.matcher.v3 import path_pb2

from lab.controlplane.model.ir import Allow, Clause, Inbound, InboundPort, Match, Network
from lab.controlplane.xds.http import http_filter, network_filter
from lab.controlplane.xds.matches import route_match, text_matcher
from lab.controlplane.xds.messages import network_range

HTTP_RBAC = "envoy.filters.http.rbac"
NETWORK_RBAC = "envoy.filters.network.rbac"


def http_check() -> Any:
    """The filter that checks each request by the rules of its route table, and lets all pass without any."""
    return http_filter(HTTP_RBAC, http_rbac_pb2.RBAC())


def http_rules(inbound: Inbound) -> Any | None:
    """The rules for a route table; None if everyone may do everything."""
    if _is_open(inbound):
        return None
    rules = _rules(inbound, for_requests=True)
    return http_rbac_pb2.RBACPerRoute(rbac=http_rbac_pb2.RBAC(rules=rules))


def network_check(inbound: Inbound) -> tuple[Any, ...]:
    """The filter that checks each connection; what is allowed for some requests only does not count here."""
    if _is_open(inbound):
        return ()
    rules = _rules(inbound, for_requests=False)
    return (network_filter(NETWORK_RBAC, network_rbac_pb2.RBAC(rules=rules, stat_prefix="inbound.")),)


def _is_open(inbound: Inbound) -> bool:
    return all(port.policy.everyone for port in (*inbound.ports, inbound.other))


def _rules(inbound: Inbound, *, for_requests: bool) -> Any:
    numbers = [port.port for port in inbound.ports]
    policies = {}
    for port in (*inbound.ports, inbound.other):
        place = _port(port, numbers)
        if port.policy.everyone:
            anybody = rbac_pb2.Principal(any=True)
            policies[f"{port.port:05}"] = rbac_pb2.Policy(permissions=[place], principals=[anybody])
        for index, allow in enumerate(port.policy.allow):
            if for_requests or not allow.matches:
                policies[f"{port.port:05}/{index:03}"] = _policy(allow, place)
    return rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW, policies=policies)


def _port(port: InboundPort, numbers: list[int]) -> Any:
    """One port; port 0 is every port that is not in `numbers`."""
    if port.port:
        return rbac_pb2.Permission(destination_port=port.port)
    if not numbers:
        return rbac_pb2.Permission(any=True)
    listed = [rbac_pb2.Permission(destination_port=number) for number in numbers]
    together = rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=listed))
    return rbac_pb2.Permission(not_rule=together)


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
