"""Route filters read from the `filters` lists of rules and backendRefs. Pure.

A filter that cannot be applied must not be skipped: requests that it was to see get 500 (tables.py,
backends.py), and the route's status says why (gatewayapi/).
"""

from dataclasses import replace

from lab.controlplane.model.ir import (
    NO_FILTERS,
    Copy,
    Cors,
    Filters,
    HeaderChange,
    Match,
    PathChange,
    Redirect,
    Rewrite,
)
from lab.kube.objects import Object

SUPPORTED = (
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestRedirect",
    "URLRewrite",
    "RequestMirror",
    "CORS",
)

_WELL_KNOWN = {"http": 80, "https": 443}


def unsupported(items: list[Object] | None) -> tuple[str, ...]:
    """The types of filters in a rule that cannot be applied."""
    return tuple(sorted({str(item.get("type")) for item in items or []} - set(SUPPORTED)))


def unsupported_in_backend(items: list[Object] | None) -> tuple[str, ...]:
    """What cannot be applied to one backend of several: Envoy changes headers and host there, no more."""
    found = set()
    for item in items or []:
        kind = str(item.get("type"))
        if kind == "URLRewrite" and (item["urlRewrite"].get("path")):
            found.add("URLRewrite of the path")
        elif kind not in ("RequestHeaderModifier", "ResponseHeaderModifier", "URLRewrite"):
            found.add(kind)
    return tuple(sorted(found))


def filters_of(items: list[Object] | None, match: Match, port: int = 80) -> Filters:
    """The filters in `items` for requests to a Service's `port` matched by `match`; mirrors are resolved by
    the caller.
    """
    found = NO_FILTERS
    for item in items or []:
        kind = item.get("type")
        if kind == "RequestHeaderModifier":
            found = replace(found, request=_merged(found.request, item["requestHeaderModifier"]))
        elif kind == "ResponseHeaderModifier":
            found = replace(found, response=_merged(found.response, item["responseHeaderModifier"]))
        elif kind == "RequestRedirect":
            found = replace(found, redirect=_redirect(item["requestRedirect"], match, port))
        elif kind == "URLRewrite":
            found = replace(found, rewrite=_rewrite(item["urlRewrite"], match))
        elif kind == "CORS":
            found = replace(found, cors=_cors(item["cors"]))
    return found


def mirrors_of(items: list[Object] | None) -> list[Object]:
    """The RequestMirror filters, as they stand in the route."""
    return [item["requestMirror"] for item in items or [] if item.get("type") == "RequestMirror"]


def copy_of(mirror: Object, cluster: str) -> Copy:
    """A mirror filter whose backend is `cluster`."""
    if fraction := mirror.get("fraction"):
        return Copy(cluster, int(fraction["numerator"]), int(fraction.get("denominator") or 100))
    return Copy(cluster, int(mirror.get("percent", 100)))


def _merged(before: HeaderChange, change: Object) -> HeaderChange:
    return HeaderChange(
        (*before.set, *((h["name"], h["value"]) for h in change.get("set") or [])),
        (*before.add, *((h["name"], h["value"]) for h in change.get("add") or [])),
        (*before.remove, *(change.get("remove") or [])),
    )


def _cors(change: Object) -> Cors:
    return Cors(
        origins=tuple(change.get("allowOrigins") or ()),
        methods=tuple(change.get("allowMethods") or ()),
        headers=tuple(change.get("allowHeaders") or ()),
        exposed=tuple(change.get("exposeHeaders") or ()),
        credentials=bool(change.get("allowCredentials")),
        max_age=int(change.get("maxAge") or 5),
    )


def _redirect(change: Object, match: Match, port: int) -> Redirect:
    return Redirect(
        status=int(change.get("statusCode") or 302),
        scheme=str(change.get("scheme") or ""),
        host=str(change.get("hostname") or ""),
        port=_redirect_port(change, port),
        path=_path(change.get("path"), match),
    )


def _redirect_port(change: Object, port: int) -> int:
    """The port of the new location; 0: the one that the new or old host carries, which may be none.

    A scheme without a port means its well-known one. That needs not be written, unless the request's host
    carries another: it does when the Service's port is not 80.
    """
    scheme = str(change.get("scheme") or "")
    well_known = _WELL_KNOWN[scheme or "http"]
    wanted = int(change.get("port") or (well_known if scheme else 0))
    return 0 if wanted == well_known and (change.get("hostname") or port == 80) else wanted


def _rewrite(change: Object, match: Match) -> Rewrite:
    return Rewrite(host=str(change.get("hostname") or ""), path=_path(change.get("path"), match))


def _path(change: Object | None, match: Match) -> PathChange | None:
    if not change:
        return None
    if change.get("type") == "ReplaceFullPath":
        return PathChange(str(change.get("replaceFullPath") or "/"), full=True)
    return PathChange(str(change.get("replacePrefixMatch") or "/"), full=False, prefix=match.path)
