"""Timeouts and retries of a route rule: the Gateway API's fields, or Linkerd's annotations on route or
Service. Pure.
"""

from lab.controlplane.model.ir import Retry, Timeouts
from lab.controlplane.model.services import seconds
from lab.kube.objects import Object

_CODES = {"5xx": tuple(range(500, 600)), "gateway-error": (502, 503, 504)}
_GRPC = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")


def timeouts_of(rule: Object, notes: dict[str, str]) -> Timeouts:
    """The limits of a rule; `notes` are the annotations that fill in what the rule leaves open."""
    stated = rule.get("timeouts") or {}
    return Timeouts(
        request=seconds(str(stated.get("request") or notes.get("timeout.linkerd.io/request", ""))),
        attempt=seconds(str(stated.get("backendRequest") or notes.get("retry.linkerd.io/timeout", ""))),
        idle=seconds(notes.get("timeout.linkerd.io/idle", "")),
    )


def retry_of(rule: Object, notes: dict[str, str]) -> Retry | None:
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
    limit = notes.get("retry.linkerd.io/limit", "1")
    return Retry(int(limit) if limit.isdigit() else 1, codes, grpc)


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
