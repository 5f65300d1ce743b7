"""update, and the one road that every change of an existing object takes (also patch and apply)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lab.pocket.apiserver.admission.pipeline import Change, admit
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import (
    Cause,
    StatusError,
    bad_request,
    conflict,
    invalid,
    invalid_value,
)
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.patching.managed import manager_of, record_update
from lab.pocket.apiserver.resources.versions import to_served
from lab.pocket.apiserver.storage.record import Object, Record

from . import create as creating
from .objects import check_revision, check_type, find, keep_system_metadata, key_of, place, store_update

_ATTEMPTS = 5


@dataclass(frozen=True)
class Edit:
    """How to get the new object from the current one (a private copy, in the served version).

    `applies` edits bring their own managedFields; `part` is the subresource that others are recorded under
    when it is not the call's.
    """

    change: Callable[[Object], Object]
    applies: bool = False
    part: str = ""


async def update(api: Api, call: Call) -> Answer:
    body = decode_object(call.body, call.content_type)
    check_type(call.resource, body)
    place(call, body)
    name = body["metadata"].setdefault("name", call.name)
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    if api.store.get(key_of(call)) is None and call.resource.creates_on_update and not call.subresource:
        body["metadata"].pop("resourceVersion", None)
        return Answer(await creating.create_object(api, call, body), 201, call.resource)
    find(api, call)  # a missing object is told first
    if not body["metadata"].get("resourceVersion"):
        _check_unconditional(call)
    return Answer(await edit(api, call, Edit(lambda current: body)), resource=call.resource)


def _check_unconditional(call: Call) -> None:
    """Some kinds demand the revision that an update was made from; upstream's error names the resource."""
    if call.resource.unconditional and not call.resource.custom:
        return
    target = call.resource.target(call.name)
    cause = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
    raise invalid(replace(target, kind=target.plural), [cause])


async def edit(api: Api, call: Call, change: Edit) -> Object:
    """Apply `change` to the stored object and commit; tries again when someone else was faster,
    unless the change names the revision it was made from."""
    for attempt in range(_ATTEMPTS):
        record = find(api, call)
        current = to_served(call.resource, record.copy())
        before = to_served(call.resource, record.obj)
        obj = change.change(current)
        if obj is before or not isinstance(obj, dict):
            raise bad_request("the change does not yield an object")
        check_type(call.resource, obj)
        wanted = obj["metadata"].get("resourceVersion")
        pinned = bool(wanted) and wanted != before["metadata"]["resourceVersion"]
        try:
            return await _commit(api, call, record, obj, change)
        except StatusError as error:
            last = attempt == _ATTEMPTS - 1
            if error.reason != "Conflict" or pinned or last or api.store.get(record.key) is record:
                raise
    raise conflict(call.resource.target(call.name))


async def _commit(api: Api, call: Call, record: Record, obj: Object, change: Edit) -> Object:
    resource = call.resource
    old = to_served(resource, record.copy())  # parts of it end up in the new object
    check_revision(resource.target(call.name), obj, record)
    keep_system_metadata(resource, obj, old)
    obj = _limit_to_subresource(call, obj, old)
    if old["metadata"].get("deletionTimestamp"):
        _check_dying(call, obj, old)
    obj = await admit(api, call, Change("UPDATE", obj, old))
    keep_system_metadata(resource, obj, old)
    if api.store.get(record.key) is not record:
        raise conflict(resource.target(call.name))
    if not change.applies:
        manager = manager_of(call)
        record_update(obj, old, replace(manager, subresource=change.part or manager.subresource), resource)
    return to_served(resource, store_update(api, call, obj, record))


def _limit_to_subresource(call: Call, obj: Object, old: Object) -> Object:
    """`/status` changes only the status, the main resource everything but it."""
    if call.subresource in ("status", "approval"):
        kept = {k: v for k, v in old.items() if k not in ("status", "metadata")}
        meta = {**old["metadata"]}
        for field in ("managedFields", *(() if call.resource.custom else ("labels", "annotations"))):
            if field in obj["metadata"]:
                meta[field] = obj["metadata"][field]
        if not call.resource.custom and "finalizers" in old["metadata"]:
            meta["finalizers"] = obj["metadata"].get("finalizers", [])
        return {**kept, "metadata": meta, **({"status": obj["status"]} if "status" in obj else {})}
    if call.subresource == "finalize":
        return {**old, "metadata": {**old["metadata"]}, "spec": obj.get("spec") or {}}
    if call.resource.has("status"):
        obj = {k: v for k, v in obj.items() if k != "status"}
        if "status" in old:
            obj["status"] = old["status"]
    return obj


def _check_dying(call: Call, obj: Object, old: Object) -> None:
    """A dying object may lose finalizers, never gain them."""
    before = set(old["metadata"].get("finalizers") or ())
    added = [f for f in obj["metadata"].get("finalizers") or () if f not in before]
    if added:
        text = (
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{', '.join(chr(34) + f + chr(34) for f in added)}}}"
        )
        raise invalid(
            call.resource.target(call.name), [Cause("metadata.finalizers", text, "FieldValueForbidden")]
        )
