"""Route matches read from HTTPRoute and GRPCRoute rules, and the order in which they are tried. Pure."""

import re

from lab.controlplane.model.ir import Match, MatchKind, TextMatch
from lab.kube.expressions import expression
from lab.kube.objects import Object

_KINDS: dict[str, MatchKind] = {"Exact": "exact", "PathPrefix": "prefix", "RegularExpression": "regex"}


def http_match(match: Object) -> Match:
    """One HTTPRouteMatch."""
    path = match.get("path") or {}
    kind = _KINDS[path.get("type") or "PathPrefix"]
    value = str(path.get("value") or "/")
    return Match(
        path=(value.rstrip("/") or "/") if kind == "prefix" else value,
        path_kind=kind,
        method=str(match.get("method") or ""),
        headers=_texts(match.get("headers"), fold=True),
        query=_texts(match.get("queryParams"), fold=False),
    )


def grpc_match(match: Object) -> Match:
    """One GRPCRouteMatch as the path that gRPC calls use: /service/method."""
    method = match.get("method") or {}
    service, name = str(method.get("service") or ""), str(method.get("method") or "")
    headers = _texts(match.get("headers"), fold=True)
    if method.get("type") == "RegularExpression":
        pattern = f"/{service or '[^/]+'}/{name or '[^/]+'}" if service or name else ""
        return Match(pattern or "/", "regex" if pattern else "prefix", headers=headers)
    if service and name:
        return Match(f"/{service}/{name}", "exact", headers=headers)
    if name:
        return Match(f"/[^/]+/{re.escape(name)}", "regex", headers=headers)
    return Match(f"/{service}" if service else "/", "prefix", headers=headers)


def http_rank(match: Match) -> tuple[int, ...]:
    """Sorts the winner first: exact path, longest path, method, most headers, most query parameters.

    A regular expression stands between exact paths and prefixes; the API leaves its place open.
    """
    kind = ("exact", "regex", "prefix").index(match.path_kind)
    return kind, -len(match.path), -bool(match.method), -len(match.headers), -len(match.query)


def grpc_rank(match: Object) -> tuple[int, ...]:
    """Sorts the winner first: longest service, longest method, most headers."""
    method = match.get("method") or {}
    lengths = len(method.get("service") or ""), len(method.get("method") or "")
    return -lengths[0], -lengths[1], -len(match.get("headers") or [])


def is_expressible(match: Match) -> bool:
    """Whether all regular expressions of a match are ones that Envoy takes; it has RE2, and so has this."""
    path = [match.path] if match.path_kind == "regex" else []
    others = [text.value for text in (*match.headers, *match.query) if text.kind == "regex"]
    return all(map(_compiles, [*path, *others]))


def _compiles(pattern: str) -> bool:
    try:
        expression(pattern)
    except ValueError:
        return False
    return True


def _texts(conditions: list[Object] | None, *, fold: bool) -> tuple[TextMatch, ...]:
    """Conditions by name; of several with one name only the first counts."""
    found: dict[str, TextMatch] = {}
    for condition in conditions or []:
        name = str(condition["name"]).lower() if fold else str(condition["name"])
        kind = _KINDS[condition.get("type") or "Exact"]
        found.setdefault(name, TextMatch(name, str(condition["value"]), kind))
    return tuple(found.values())
