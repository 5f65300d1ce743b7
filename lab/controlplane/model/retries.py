"""Timeouts and retries of a route rule: the Gateway API's fields, or Linkerd's annotations on route or
Service. Pure.

Linkerd's annotations came after 2.14; a mesh of that version does not know them.
"""

from collections.abc import Mapping

from lab.controlplane.model.graph import Reader
from lab.controlplane.model.ir import Retry, Timeouts
from lab.controlplane.model.services import seconds
from lab.controlplane.model.world import LOCAL
from lab.kube.objects import Object

_GROUPS = ("timeout.linkerd.io/", "retry.linkerd.io/")
_CODES = {"5xx": tuple(range(500, 600)), "gateway-error": (502, 503, 504)}
_GRPC = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")


def limits(
    reader: Reader, service: Mapping[str, str], route: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The annotations about timeouts and retries that count: any of a group on the route puts all of that
    group on the Service out of force.
    """
    settings = reader.cell("cluster", LOCAL) or {}
    if not settings.get("route_annotations", True):
        return {}
    found: dict[str, str] = {}
    for group in _GROUPS:
        above = {key: value for key, value in (route or {}).items() if key.startswith(group)}
        found |= above or {key: value for key, value in service.items() if key.startswith(group)}
    return found


def timeouts_of(rule: Object, notes: Mapping[str, str]) -> Timeouts:
    """The limits of a rule; `notes` (see `limits`) fill in what the rule leaves open.

    Envoy's limit starts when the request is complete, so that of the response and that of the whole
    exchange come to the same: the shorter one counts.
    """
    stated = rule.get("timeouts") or {}
    whole = seconds(str(stated.get("request") or notes.get("timeout.linkerd.io/request", "")))
    answer = seconds(notes.get("timeout.linkerd.io/response", ""))
    return Timeouts(
        request=min(whole or answer, answer or whole),
        attempt=seconds(str(stated.get("backendRequest") or notes.get("retry.linkerd.io/timeout", ""))),
        idle=seconds(notes.get("timeout.linkerd.io/idle", "")),
    )


def retry_of(rule: Object, notes: Mapping[str, str]) -> Retry | None:
    """Which answers of a rule are tried again, beyond connections that never carried the request."""
    if stated := rule.get("retry"):
        codes = tuple(int(code) for code in stated.get("codes") or ())
        return Retry(
            int(stated.get("attempts") or 1), codes, backoff=seconds(str(stated.get("backoff") or ""))
        )
    codes = _codes(notes.get("retry.linkerd.io/http", ""))
    grpc = tuple(c.strip() for c in notes.get("retry.linkerd.io/grpc", "").split(",") if c.strip() in _GRPC)
    if not codes and not grpc:
        return None
    limit = notes.get("retry.linkerd.io/limit", "")
    return Retry((int(limit) if limit.isdigit() else 0) or 1, codes, grpc)


def _codes(text: str) -> tuple[int, ...]:
    """`5xx`, `gateway-error`, single codes and ranges, comma separated."""
    found: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        low, _, high = part.partition("-")
        if part in _CODES:
            found += _CODES[part]
        elif low.isdigit() and (not high or high.isdigit()):
            found += range(int(low), int(high or low) + 1)
    return tuple(dict.fromkeys(found))
