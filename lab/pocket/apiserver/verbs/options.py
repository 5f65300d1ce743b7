"""The options of a request (ListOptions, CreateOptions, …), checked before its verb runs. Pure.

verbs/dispatch.py calls `check_options`; a wrong option is refused, never ignored.
"""

from collections.abc import Iterator

from lab.pocket.apiserver.context import Call
from lab.pocket.apiserver.errors import (
    Cause,
    StatusError,
    Target,
    bad_request,
    invalid,
    invalid_value,
    required,
    unsupported_value,
)
from lab.pocket.apiserver.http.body import media_type

APPLY = "application/apply-patch+yaml"
_WRITES = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_LEVELS = ("", "Ignore", "Strict", "Warn")
_MANAGER_LIMIT = 128  # bytes
_NUMBERS = ("limit", "resourceVersion", "timeoutSeconds")


def check_options(call: Call) -> None:
    """Raises 422 for options that do not fit together, 400 for those that cannot be read."""
    for name in _NUMBERS if call.verb in ("list", "watch", "deletecollection") else ():
        number(call, name)
    if kind := _WRITES.get(call.verb):
        refuse(kind, _of_write(call))
    elif call.verb == "list":
        refuse("ListOptions", _of_list(call))
    elif call.verb == "watch":
        refuse("ListOptions", _of_watch(call))
    elif call.verb in ("delete", "deletecollection"):
        refuse("DeleteOptions", dry_run(call.query.get("dryRun")))


def refuse(kind: str, causes: Iterator[Cause]) -> None:
    if found := list(causes):
        raise invalid_options(kind, found)


def invalid_options(kind: str, causes: list[Cause]) -> StatusError:
    return invalid(Target("", "meta.k8s.io", "", kind), causes)


def number(call: Call, name: str) -> int:
    """A count or revision in the query; 0 when it is not there."""
    text = call.query.get(name) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad_request(f'{name}: parsing "{text[:64]}": it must be a whole number, not below zero')
    return int(text)


def forbidden_option(field: str, why: str) -> Cause:
    return Cause(field, f"Forbidden: {why}", "FieldValueForbidden")


def dry_run(value: str | None) -> Iterator[Cause]:
    if value is not None and value != "All":
        yield unsupported_value("dryRun", [value], ["All"])


def _of_write(call: Call) -> Iterator[Cause]:
    manager, level = call.query.get("fieldManager", ""), call.query.get("fieldValidation", "")
    if call.verb == "patch":
        if media_type(call.content_type) != APPLY and "force" in call.query:
            yield forbidden_option("force", "may not be specified for non-apply patch")
        if media_type(call.content_type) == APPLY and not manager:
            yield required("fieldManager", "is required for apply patch")
    if len(manager.encode("utf-8", "surrogatepass")) > _MANAGER_LIMIT:
        text = f"Too long: may not be more than {_MANAGER_LIMIT} bytes"
        yield Cause("fieldManager", text, "FieldValueTooLong")
    for position, character in enumerate(manager):
        if not character.isprintable():
            text = f"invalid character U+{ord(character):04X} (at position {position})"
            yield invalid_value("fieldManager", manager, text)
    yield from dry_run(call.query.get("dryRun"))
    if level not in _LEVELS:
        yield unsupported_value("fieldValidation", level, _LEVELS)


def _of_list(call: Call) -> Iterator[Cause]:
    match, revision = call.query.get("resourceVersionMatch", ""), call.query.get("resourceVersion", "")
    field = "resourceVersionMatch"
    if match:
        if not revision:
            yield forbidden_option(field, f"{field} is forbidden unless resourceVersion is provided")
        if call.query.get("continue"):
            yield forbidden_option(field, f"{field} is forbidden when continue is provided")
        if match not in ("Exact", "NotOlderThan"):
            yield unsupported_value(field, match, ("Exact", "NotOlderThan", ""))
        if match == "Exact" and revision == "0":
            yield forbidden_option(field, f'{field} "exact" is forbidden for resourceVersion "0"')
    if "sendInitialEvents" in call.query:
        yield forbidden_option("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _of_watch(call: Call) -> Iterator[Cause]:
    match, field = call.query.get("resourceVersionMatch", ""), "resourceVersionMatch"
    initial = "sendInitialEvents" in call.query
    if initial and match != "NotOlderThan":
        yield forbidden_option(field, f"sendInitialEvents requires setting {field} to NotOlderThan")
    if match and not initial:
        why = f"{field} is forbidden for watch unless sendInitialEvents is provided"
        yield forbidden_option(field, why)
    if match and match != "NotOlderThan":
        yield unsupported_value(field, match, ("NotOlderThan",))
