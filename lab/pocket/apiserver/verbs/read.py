"""get and list. Lists are served from memory at one revision; pages continue at the revision they began."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from lab.base.errors import UsageError
from lab.kube.selectors import FieldSelector, field_selector, label_selector
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import StatusError, bad_request, expired
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object, Record
from lab.pocket.apiserver.storage.store import Gone

from .objects import find, to_served

_ALWAYS = ("metadata.name", "metadata.namespace")


def get(api: Api, call: Call) -> Answer:
    record = find(api, call)
    return Answer(to_served(call.resource, record.obj), resource=call.resource)


def list_objects(api: Api, call: Call) -> Answer:
    matches = matcher(call)
    records, revision = _records(api, call)
    found = [r for r in records if matches(to_served(call.resource, r.obj))] if matches else records
    page, more, remaining = _page(call, found, revision)
    metadata: Object = {"resourceVersion": str(revision)}
    if more:
        metadata["continue"] = more
        if matches is None:
            metadata["remainingItemCount"] = remaining
    body = {
        "kind": call.resource.list_kind_name,
        "apiVersion": call.resource.api_version,
        "metadata": metadata,
    }
    raw = None if call.resource.conversion else _joined(call.resource, page, metadata)

    def items() -> list[Object]:
        return [to_served(call.resource, record.obj) for record in page]

    return Answer(body, resource=call.resource, raw=raw, items=items)


def _joined(resource: Resource, page: Sequence[Record], metadata: Object) -> bytes | None:
    """The list as JSON made of the stored bytes, when they are in the served version already."""
    if resource.stored_api_version != resource.api_version:
        return None
    head = json.dumps(
        {"kind": resource.list_kind_name, "apiVersion": resource.api_version, "metadata": metadata},
        separators=(",", ":"),
    )
    return b'%s,"items":[%s]}' % (head[:-1].encode(), b",".join(record.raw for record in page))


def _records(api: Api, call: Call) -> tuple[Sequence[Record], int]:
    prefix, store = call.resource.prefix, api.store
    if token := call.query.get("continue"):
        start, revision = _parse_continue(token)
        records = _at(api, call, revision, continuing=True)
        return [r for r in records if (r.key.namespace, r.key.name) > start], revision
    wanted = revision_of(call.query.get("resourceVersion", ""))
    match = call.query.get("resourceVersionMatch", "")
    if wanted > store.head:
        raise too_large_revision(wanted, store.head)
    if match == "Exact" and wanted:
        return _at(api, call, wanted, continuing=False), wanted
    return store.list(prefix, call.namespace), store.head


def _at(api: Api, call: Call, revision: int, *, continuing: bool) -> Sequence[Record]:
    try:
        return api.store.list_at(call.resource.prefix, call.namespace, revision)
    except Gone as error:
        if continuing:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can "
                "start a new list without the continue parameter."
            ) from error
        raise expired(f"The resourceVersion for the provided list is too old: {revision}") from error


def _page(call: Call, found: Sequence[Record], revision: int) -> tuple[Sequence[Record], str, int]:
    limit = call.query.get("limit", "")
    if not limit or limit == "0":
        return found, "", 0
    size = number("limit", limit)
    if len(found) <= size:
        return found, "", 0
    last = found[size - 1].key
    token = json.dumps({"rv": revision, "after": [last.namespace, last.name]}).encode()
    return found[:size], base64.urlsafe_b64encode(token).decode(), len(found) - size


def _parse_continue(token: str) -> tuple[tuple[str, str], int]:
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = value["after"]
        return (str(namespace), str(name)), int(value["rv"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise bad_request("continue key is not valid: it was not made by this server") from error


def revision_of(text: str) -> int:
    return number("resourceVersion", text) if text else 0


def number(name: str, text: str) -> int:
    """A query value that must be a whole number of at most 64 bits, not below zero."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad_request(f"{name}: Invalid value: {json.dumps(text[:64])}: must be a number, not negative")
    return int(text)


def too_large_revision(wanted: int, head: int) -> StatusError:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {wanted}, current: {head}"
    return StatusError(504, "Timeout", message, details)


def matcher(call: Call) -> Callable[[Object], bool] | None:
    """The call's selectors as one predicate on served objects; None when everything matches."""
    try:
        labels = label_selector(call.query.get("labelSelector", ""))
        fields = field_selector(call.query.get("fieldSelector", ""))
    except UsageError as error:
        raise bad_request(str(error)) from error
    _check_fields(call.resource, fields)
    named = call.name if call.verb == "watch" else ""
    if not labels.requirements and not fields.terms and not named:
        return None

    def matches(obj: Object) -> bool:
        meta = obj["metadata"]
        if named and meta.get("name") != named:
            return False
        return labels.matches(meta.get("labels") or {}) and fields.matches(obj)

    return matches


def _check_fields(resource: Resource, selector: FieldSelector) -> None:
    for path, _, _ in selector.terms:
        if path in _ALWAYS or path in resource.fields:
            continue
        if f"{path.partition('.')[0]}.*" in resource.fields:
            continue
        if resource.group == "events.k8s.io" and path.startswith("regarding."):
            continue
        raise bad_request(
            f'Unable to find "{resource.api_version}, Resource={resource.plural}" that match label '
            f'selector "", field selector "{path}": field label not supported: {path}'
        )
