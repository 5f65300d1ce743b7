"""metav1.DeleteOptions: from a body or, where there is none, from the query. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lab.pocket.apiserver.context import Call
from lab.pocket.apiserver.errors import Cause, bad_request, invalid_value, unsupported_value
from lab.pocket.apiserver.http.body import decode
from lab.pocket.apiserver.storage.record import Object

from .options import dry_run, refuse

FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_LONGEST = 1 << 31  # seconds of grace, all that fit into a date
_POLICIES = ("Foreground", "Background", "Orphan", "nil")


@dataclass(frozen=True)
class Options:
    """How to delete; `grace` is in seconds, None when the object's own counts."""

    grace: int | None = None
    policy: str = ""
    uid: str = ""
    revision: str = ""
    dry_run: bool = False

    def on(self, call: Call) -> Call:
        """The call with what the body says about dry runs, where all other code looks for it."""
        return replace(call, query={**call.query, "dryRun": "All"}) if self.dry_run else call


def options_of(call: Call) -> Options:
    """Raises 422 for options that upstream refuses, 400 for what cannot be read."""
    if not call.body.strip():
        return parsed(dict(call.query))
    body = decode(call.body, call.content_type)
    if not isinstance(body, dict):
        raise bad_request("DeleteOptions must be an object")
    return parsed({"dryRun": call.query.get("dryRun"), **body})


def parsed(found: Object) -> Options:
    refuse("DeleteOptions", _causes(found))
    wanted = found.get("preconditions") or {}
    if not isinstance(wanted, dict):
        raise bad_request("preconditions must be an object")
    policy = str(found.get("propagationPolicy") or "")
    orphan = _orphan(found)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    return Options(
        _seconds(found.get("gracePeriodSeconds")),
        policy,
        str(wanted.get("uid") or ""),
        str(wanted.get("resourceVersion") or ""),
        bool(_dry_runs(found)),
    )


def _orphan(found: Object) -> bool | None:
    value = found.get("orphanDependents")
    return value if value is None or isinstance(value, bool) else str(value).lower() == "true"


def _dry_runs(found: Object) -> list[Any]:
    value = found.get("dryRun") or []
    return value if isinstance(value, list) else [value]


def _causes(found: Object) -> Iterator[Cause]:
    policy = found.get("propagationPolicy")
    if policy is not None and found.get("orphanDependents") is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        yield invalid_value("propagationPolicy", policy, text)
    if policy is not None and policy not in _POLICIES[:-1]:
        yield unsupported_value("propagationPolicy", policy, _POLICIES)
    for value in _dry_runs(found):
        yield from dry_run(str(value))


def _seconds(value: Any) -> int | None:
    """Negative periods count as one second, as upstream."""
    if value is None:
        return None
    try:
        seconds = min(int(value), _LONGEST)
    except (TypeError, ValueError, OverflowError):
        raise bad_request(f"gracePeriodSeconds must be a number, found {value!r}") from None
    return seconds if seconds >= 0 else 1
