"""Errors a client may see: every failure is a `StatusError` that renders as a Kubernetes Status.

All layers of the server raise these; only http/server.py turns them into responses. Message shapes
follow upstream because clients (and people) match on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
_VALUE, _CAUSES = 4096, 100  # characters of a wrong value, and wrong values, that an answer repeats


class StatusError(Exception):
    """A failure with an HTTP code, a machine-readable reason and a message for people."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})
        self.metadata: Object = {}

    def body(self) -> Object:
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:  # a webhook may refuse without one
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return status


@dataclass(frozen=True)
class Target:
    """What an error is about: `pods "x"` or `deployments.apps "x"`."""

    plural: str
    group: str = ""
    name: str = ""
    kind: str = ""

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return f'{self.qualified} "{self.name}"'

    def details(self, **more: Any) -> Object:
        found: Object = {"name": self.name} if self.name else {}
        if self.group:
            found["group"] = self.group
        return {**found, "kind": self.plural, **more}


@dataclass(frozen=True)
class Cause:
    """One wrong field: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, message: str = "") -> Cause:
    return Cause(field, "Required value" + (f": {message}" if message else ""), "FieldValueRequired")


def _quoted(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def invalid_value(field: str, value: Any, message: str) -> Cause:
    return Cause(field, f"Invalid value: {_quoted(value)}: {message}")


def unsupported_value(field: str, value: Any, allowed: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{item}"' for item in allowed)
    return Cause(
        field,
        f"Unsupported value: {_quoted(value)}: supported values: {listed}",
        "FieldValueNotSupported",
    )


def not_found(target: Target) -> StatusError:
    return StatusError(404, "NotFound", f"{target} not found", target.details())


def unknown_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(target: Target) -> StatusError:
    return StatusError(409, "AlreadyExists", f"{target} already exists", target.details())


def not_unique(target: Target) -> StatusError:
    """A generated name met an existing object, as often as the server tried."""
    text = "the server was not able to generate a unique name for the object"
    details = target.details(retryAfterSeconds=1)
    return StatusError(409, "AlreadyExists", f"{target} already exists, {text}", details)


def conflict(target: Target, why: str = "") -> StatusError:
    reason = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f"Operation cannot be fulfilled on {target}: {reason}"
    return StatusError(409, "Conflict", message, target.details())


def forbidden(target: Target, why: str) -> StatusError:
    subject = str(target) if target.name else target.qualified
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", target.details())


def invalid(target: Target, causes: Sequence[Cause]) -> StatusError:
    texts = [str(cause) for cause in causes[:_CAUSES]]
    if len(causes) > _CAUSES:
        texts.append(f"and {len(causes) - _CAUSES} more")
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    kind = f"{target.kind}.{target.group}" if target.group else target.kind
    details: Object = {"name": target.name, "kind": target.kind}
    if target.group:
        details["group"] = target.group
    details["causes"] = [
        {"reason": c.reason, "message": c.message, "field": c.field} for c in causes[:_CAUSES]
    ]
    return StatusError(422, "Invalid", f'{kind} "{target.name}" is invalid: {listed}', details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    return StatusError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def internal(message: str) -> StatusError:
    details = {"causes": [{"message": message}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", details)


def unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)


def too_large(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    listed = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return StatusError(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return StatusError(406, "NotAcceptable", message)


def success(target: Target, uid: str = "") -> Object:
    """The Status that answers a completed delete."""
    details = target.details(**({"uid": uid} if uid else {}))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
