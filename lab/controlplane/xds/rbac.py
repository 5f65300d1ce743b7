"""Inbound policies as Envoy RBAC filters: HTTP requests get 403, connections are closed. Pure."""

from typing import Any

from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.type.matcher.v3 import path_pb2

from lab.controlplane.model.ir import Allow, Clause, Match, Network, Policy
from lab.controlplane.xds.http import http_filter, network_filter
from lab.controlplane.xds.matches import route_match, text_matcher
from lab.controlplane.xds.messages import network_range

HTTP_RBAC = "envoy.filters.http.rbac"
NETWORK_RBAC = "envoy.filters.network.rbac"


def http_policy(policy: Policy) -> tuple[Any, ...]:
    """The filter that checks each request; none if everyone may."""
    if policy.everyone:
        return ()
    rules = _rules(policy.allow)
    return (http_filter(HTTP_RBAC, http_rbac_pb2.RBAC(rules=rules, rules_stat_prefix=_stat(policy))),)


def network_policy(policy: Policy) -> tuple[Any, ...]:
    """The filter that checks each connection; what is allowed for some requests only does not count here."""
    if policy.everyone:
        return ()
    rules = _rules(tuple(allow for allow in policy.allow if not allow.matches))
    return (network_filter(NETWORK_RBAC, network_rbac_pb2.RBAC(rules=rules, stat_prefix=_stat(policy))),)


def _stat(policy: Policy) -> str:
    return f"{policy.name}."


def _rules(allowed: tuple[Allow, ...]) -> Any:
    policies = {f"{index:03}": _policy(allow) for index, allow in enumerate(allowed)}
    return rbac_pb2.RBAC(action=rbac_pb2.RBAC.ALLOW, policies=policies)


def _policy(allow: Allow) -> Any:
    permissions = [_permission(match) for match in allow.matches] or [rbac_pb2.Permission(any=True)]
    principals = [_principal(clause) for clause in allow.clauses]
    together = (
        rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=principals))
        if len(principals) > 1
        else principals[0]
    )
    return rbac_pb2.Policy(permissions=permissions, principals=[together])


def _permission(match: Match) -> Any:
    rules = [_path(match)]
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
