"""get and list. Lists are served from memory at one revision; pages continue at the revision they began."""

import json
from collections.abc import Callable, Sequence

from lab.base.errors import UsageError
from lab.kube.selectors import FieldSelector, field_selector, label_selector
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import StatusError, bad_request, expired
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.versions import to_served
from lab.pocket.apiserver.storage.record import Object, Record
from lab.pocket.apiserver.storage.store import Gone

from . import pages
from .objects import find
from .options import number

_ALWAYS = ("metadata.name", "metadata.namespace")


def get(api: Api, call: Call) -> Answer:
    record = find(api, call)
    return Answer(to_served(call.resource, record.obj), resource=call.resource)


def list_objects(api: Api, call: Call) -> Answer:
    matches = matcher(call)
    records, revision = _records(api, call)
    found = [r for r in records if matches(to_served(call.resource, r.obj))] if matches else records
    page, more = pages.cut(found, number(call, "limit"), revision)
    metadata: Object = {"resourceVersion": str(revision)}
    if more:
        metadata["continue"] = more
        if matches is None:
            metadata["remainingItemCount"] = len(found) - len(page)
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
    """What the call may list, in order, and the revision that this is the state of."""
    prefix, store = call.resource.prefix, api.store
    if token := call.query.get("continue"):
        start, revision = pages.parse(token)
        if call.query.get("resourceVersion"):
            raise bad_request("specifying resource version is not allowed when using continue")
        if revision < 0:  # an inconsistent continuation goes on with what there is now
            revision = store.head
        records = _at(api, call, revision, pages.restart(start))
        return [r for r in records if (r.key.namespace, r.key.name) > start], revision
    wanted = number(call, "resourceVersion")
    if wanted > store.head:
        raise too_large_revision(wanted, store.head)
    # As upstream, an old revision with a limit and no match rule means exactly that revision.
    match = call.query.get("resourceVersionMatch", "")
    if wanted and (match == "Exact" or (not match and number(call, "limit"))):
        gone = expired("The resourceVersion for the provided list is too old.")
        return _at(api, call, wanted, gone), wanted
    return store.list(prefix, call.namespace), store.head


def _at(api: Api, call: Call, revision: int, gone: StatusError) -> Sequence[Record]:
    try:
        return api.store.list_at(call.resource.prefix, call.namespace, revision)
    except Gone as error:
        raise gone from error


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
    fields = _by_path(call.resource, fields)
    named = call.name if call.verb == "watch" else ""
    if named and any(term != ("metadata.name", True, named) for term in fields.terms):
        raise bad_request("fieldSelector metadata.name doesn't match requested name")
    if not labels.requirements and not fields.terms and not named:
        return None

    def matches(obj: Object) -> bool:
        meta = obj["metadata"]
        if named and meta.get("name") != named:
            return False
        return labels.matches(meta.get("labels") or {}) and fields.matches(obj)

    return matches


def _by_path(resource: Resource, selector: FieldSelector) -> FieldSelector:
    """The selector with the paths that its field labels stand for. Raises 400 for labels a kind lacks."""
    terms = []
    for label, equal, value in selector.terms:
        if label not in resource.fields and label not in _ALWAYS:
            if resource.fields:
                raise bad_request(f"field label not supported: {label}")
            known = ", ".join(f'"{name}"' for name in _ALWAYS)
            raise bad_request(f'"{label}" is not a known field selector: only {known}')
        terms.append((resource.fields.get(label) or label, equal, value))
    return FieldSelector(tuple(terms))
