"""The routes of a Server: kinds of requests that are authorized each by itself. Pure.

HTTPRoutes of either API group and GRPCRoutes whose parentRef names the Server. What is allowed for the
Server is allowed for each of its routes; an AuthorizationPolicy may target one route and let in more.
"""

import re
from dataclasses import replace

from lab.controlplane.model.attachment import age
from lab.controlplane.model.filters import filters_of
from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Allow, Entry, InboundRoute, Policy, TextMatch
from lab.controlplane.model.matches import grpc_match, grpc_rank, http_match, http_rank
from lab.controlplane.model.world import server_parents
from lab.controlplane.policy.authentications import clauses_of
from lab.kube.objects import Object, name, namespace, spec

Ranked = tuple[tuple[int, ...], InboundRoute]


def inbound_routes(reader: Reader, server: Object, policy: Policy) -> tuple[InboundRoute, ...]:
    """A Server's routes in order of precedence; `policy` is the Server's own. GRPCRoutes displace others."""
    routes = reader.cell("inbound-routes", namespace(server)) or ()
    attached = sorted((route for route in routes if name(server) in server_parents(route)), key=age)
    grpc = [route for route in attached if route["kind"] == "GRPCRoute"]
    found = [pair for route in grpc or attached for pair in _read(route, _policy_of(reader, route, policy))]
    return tuple(route for _, route in sorted(found, key=lambda pair: pair[0]))


def _policy_of(reader: Reader, route: Object, server: Policy) -> Policy:
    objects = reader.cell("policy", namespace(route)) or ()
    own = [Allow(clauses_of(reader, o)) for o in objects if _targets(o, route)]
    title = f"{route['kind']}/{namespace(route)}/{name(route)}"
    return replace(server, name=title, allow=(*server.allow, *own))


def _targets(obj: Object, route: Object) -> bool:
    target = spec(obj).get("targetRef") or {}
    group = str(route.get("apiVersion", "")).rpartition("/")[0]
    wanted = (route["kind"], name(route), group)
    return obj["kind"] == "AuthorizationPolicy" and wanted == (
        target.get("kind"),
        target.get("name"),
        target.get("group", ""),
    )


def _read(route: Object, policy: Policy) -> list[Ranked]:
    is_grpc = route["kind"] == "GRPCRoute"
    hosts = _hosts(spec(route).get("hostnames") or [])
    found: list[Ranked] = []
    for rule in spec(route).get("rules") or [{}]:
        for source in rule.get("matches") or [{}]:
            match = grpc_match(source) if is_grpc else http_match(source)
            rank = grpc_rank(source) if is_grpc else http_rank(match)
            filters = filters_of(rule.get("filters"), match)
            entry = Entry(policy.name, replace(match, headers=(*match.headers, *hosts)), filters=filters)
            found.append((rank, InboundRoute(entry, policy)))
    return found


def _hosts(hostnames: list[str]) -> tuple[TextMatch, ...]:
    """A condition on the host that clients ask for, whatever port they name; `*.` stands for any label."""
    if not hostnames:
        return ()
    patterns = [re.escape(host).replace(r"\*", r"[^:]+") for host in hostnames]
    return (TextMatch(":authority", f"({'|'.join(patterns)})(:[0-9]+)?", "regex"),)
