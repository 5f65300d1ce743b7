"""Match conditions as Envoy RouteMatches. Pure."""

from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.type.matcher.v3 import regex_pb2, string_pb2

from lab.controlplane.model.ir import Match, TextMatch


def route_match(match: Match) -> Any:
    """A RouteMatch with all conditions of `match`."""
    headers = [_header(condition) for condition in match.headers]
    if match.method:
        headers.append(_header(TextMatch(":method", match.method)))
    found = rc.RouteMatch(headers=headers, query_parameters=[_query(condition) for condition in match.query])
    if match.path_kind == "exact":
        found.path = match.path
    elif match.path_kind == "regex":
        found.safe_regex.CopyFrom(regex_pb2.RegexMatcher(regex=match.path))
    elif match.path == "/":
        found.prefix = "/"
    else:
        found.path_separated_prefix = match.path
    return found


def text_matcher(kind: str, value: str) -> Any:
    """A StringMatcher: exact, prefix, suffix or regular expression over the whole text."""
    if kind == "regex":
        return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=value))
    return string_pb2.StringMatcher(**{kind: value})


def _header(condition: TextMatch) -> Any:
    return rc.HeaderMatcher(name=condition.name, string_match=text_matcher(condition.kind, condition.value))


def _query(condition: TextMatch) -> Any:
    matcher = text_matcher(condition.kind, condition.value)
    return rc.QueryParameterMatcher(name=condition.name, string_match=matcher)
