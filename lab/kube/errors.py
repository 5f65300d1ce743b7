"""Errors of talking to a Kubernetes API server; one class per answer that callers act on."""

import json
from typing import Any

from lab.base.errors import LabError


class ApiError(LabError):
    """An API server's refusal: `status` is the HTTP code, `reason` the Status reason."""

    def __init__(self, status: int, reason: str, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status, self.reason = status, reason


class NotFound(ApiError):
    """404: the object or the kind is not there."""


class AlreadyExists(ApiError):
    """409 on create."""


class Conflict(ApiError):
    """409 on write: somebody changed the object, or owns a field, since it was read."""


class Forbidden(ApiError):
    """401 or 403."""


class Gone(ApiError):
    """410: the resource version is no longer kept; list again."""


class Unavailable(ApiError):
    """The server could not be reached or did not answer in time (`status` 0), or said 503/504."""


def from_response(status: int, body: bytes, what: str) -> ApiError:
    """The error for a non-2xx answer to `what` ("GET /api/v1/pods")."""
    parsed: dict[str, Any] = {}
    try:
        decoded = json.loads(body)
        parsed = decoded if isinstance(decoded, dict) else {}
    except ValueError:
        pass  # a proxy's or a broken server's answer: its text is quoted below
    reason = str(parsed.get("reason", ""))
    message = str(parsed.get("message") or body[:256].decode(errors="replace") or f"HTTP {status}")
    by_reason = {"AlreadyExists": AlreadyExists, "Conflict": Conflict, "NotFound": NotFound}
    by_status = {
        401: Forbidden,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        410: Gone,
        503: Unavailable,
        504: Unavailable,
    }
    cls = by_reason.get(reason) or by_status.get(status) or ApiError
    return cls(status, reason, f"{what}: {message}")
