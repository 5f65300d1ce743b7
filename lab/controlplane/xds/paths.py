"""Redirects and rewrites: how Envoy is told to change host, port and path. Pure."""

import re
from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.type.matcher.v3 import regex_pb2

from lab.controlplane.model.ir import PathChange, Redirect, Rewrite

_CODES = {
    301: rc.RedirectAction.MOVED_PERMANENTLY,
    302: rc.RedirectAction.FOUND,
    303: rc.RedirectAction.SEE_OTHER,
    307: rc.RedirectAction.TEMPORARY_REDIRECT,
    308: rc.RedirectAction.PERMANENT_REDIRECT,
}


def redirect_action(redirect: Redirect) -> Any:
    """An answer that sends the client elsewhere; what is not stated stays as in the request."""
    action = rc.RedirectAction(response_code=_CODES[redirect.status])
    if redirect.scheme:
        action.scheme_redirect = redirect.scheme
    if redirect.host:
        action.host_redirect = redirect.host
    if redirect.port:
        action.port_redirect = redirect.port
    if redirect.path and redirect.path.full:
        action.path_redirect = redirect.path.value
    elif redirect.path:
        change = _prefix_change(redirect.path)
        if isinstance(change, str):
            action.prefix_rewrite = change
        else:
            action.regex_rewrite.CopyFrom(change)
    return action


def apply_rewrite(action: Any, rewrite: Rewrite) -> None:
    """Change the request on its way to the backend."""
    if rewrite.host:
        action.host_rewrite_literal = rewrite.host
    if rewrite.path and rewrite.path.full:
        action.regex_rewrite.CopyFrom(_substitution("^[^?]*", rewrite.path.value))
    elif rewrite.path:
        change = _prefix_change(rewrite.path)
        if isinstance(change, str):
            action.prefix_rewrite = change
        else:
            action.regex_rewrite.CopyFrom(change)


def _prefix_change(change: PathChange) -> Any:
    """A prefix rewrite, or an expression where a plain one would leave `//` or no slash at all."""
    replacement = change.value.rstrip("/")
    if change.prefix == "/":
        return f"{replacement}/"
    if not replacement:
        return _substitution(f"^{re.escape(change.prefix)}/*", "/")
    return replacement


def _substitution(pattern: str, text: str) -> Any:
    return regex_pb2.RegexMatchAndSubstitute(
        pattern=regex_pb2.RegexMatcher(regex=pattern), substitution=text.replace("\\", "\\\\")
    )
