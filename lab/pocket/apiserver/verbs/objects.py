"""What every write has in common: reading the body, metadata rules, conversion and storing. Mostly pure.

The verb modules (create, update, patch, delete) are built on these; nothing here talks to the network.
"""

import secrets
import uuid
from typing import Any

from lab.kube.objects import now
from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import Cause, Target, bad_request, conflict, invalid, not_found
from lab.pocket.apiserver.patching.fields import is_tree
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.resources.versions import to_stored
from lab.pocket.apiserver.storage.record import Key, Object, Record
from lab.pocket.apiserver.storage.store import Stale

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_METADATA_TYPES = (
    ("finalizers", list), ("ownerReferences", list), ("managedFields", list), ("name", str),
    ("generateName", str), ("namespace", str), ("resourceVersion", str), ("uid", str),
)  # fmt: skip
_ITEM_TYPES: tuple[tuple[str, type], ...] = (
    ("finalizers", str), ("ownerReferences", dict), ("managedFields", dict),
)  # fmt: skip
SYSTEM_METADATA = (
    "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
    "selfLink",
)  # fmt: skip


def key_of(call: Call) -> Key:
    return Key(call.resource.prefix, call.namespace, call.name)


def find(api: Api, call: Call) -> Record:
    record = api.store.get(key_of(call))
    if record is None:
        raise not_found(call.resource.target(call.name))
    return record


def check_type(resource: Resource, obj: Object) -> None:
    """Fill in or refuse apiVersion and kind."""
    version, kind = obj.get("apiVersion") or resource.api_version, obj.get("kind") or resource.kind
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise bad_request(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")
    obj["apiVersion"], obj["kind"] = version, kind
    if not isinstance(obj.setdefault("metadata", {}), dict):
        raise bad_request("metadata must be an object")
    _check_metadata(resource, obj)


def _check_metadata(resource: Resource, obj: Object) -> None:
    meta = obj["metadata"]
    causes: list[Cause] = []
    for field in ("labels", "annotations"):
        found = meta.get(field)
        if found is None:
            meta.pop(field, None)
        elif not isinstance(found, dict):
            raise bad_request(f"metadata.{field} must be a map of strings, found {type(found).__name__}")
        else:
            for name, value in found.items():
                if not isinstance(value, str):
                    raise bad_request(
                        f"{resource.kind} in version {resource.version!r} cannot be handled as a "
                        f"{resource.kind}: json: cannot unmarshal {_go_type(value)} into Go struct field "
                        f"ObjectMeta.metadata.{field} of type string".replace("'", '"')
                    )
                if not name:
                    causes.append(
                        Cause(f"metadata.{field}", 'Invalid value: "": name part must be non-empty')
                    )
    for field, kind in _METADATA_TYPES:
        if meta.get(field) is not None and not isinstance(meta[field], kind):
            raise bad_request(f"metadata.{field} has the wrong type: {type(meta[field]).__name__}")
    for field, item_type in _ITEM_TYPES:
        if wrong := [item for item in meta.get(field) or [] if not isinstance(item, item_type)]:
            raise bad_request(f"metadata.{field} has an item of the wrong type: {type(wrong[0]).__name__}")
    for entry in meta.get("managedFields") or []:
        if not is_tree(entry.get("fieldsV1") or {}):
            raise bad_request("metadata.managedFields has an entry whose fieldsV1 is no set of fields")
    if causes:
        raise invalid(resource.target(str(meta.get("name", ""))), causes)


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else "object" if isinstance(value, dict) else "array"


def place(call: Call, obj: Object) -> None:
    """Make the object's namespace agree with the request's."""
    meta = obj["metadata"]
    found = meta.get("namespace") or ""
    if not call.resource.namespaced:
        meta.pop("namespace", None)
        return
    if found and found != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta["namespace"] = call.namespace


def stamp_new(resource: Resource, obj: Object) -> None:
    """The metadata only the server sets on a new object."""
    meta = obj["metadata"]
    for field in SYSTEM_METADATA:
        meta.pop(field, None)
    meta.pop("resourceVersion", None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generated_name(meta["generateName"])
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now()
    if resource.counts_generation:
        meta["generation"] = 1


def generated_name(base: str) -> str:
    return base[:58] + "".join(secrets.choice(_SUFFIX) for _ in range(5))


def keep_system_metadata(resource: Resource, obj: Object, old: Object) -> None:
    """An update never changes what only the server sets."""
    meta, before = obj["metadata"], old["metadata"]
    wanted = meta.get("uid")
    if wanted and wanted != before.get("uid"):
        raise conflict(
            resource.target(str(before.get("name"))),
            f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {before.get('uid')}",
        )
    for field in (*SYSTEM_METADATA, "name", "namespace"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)


def check_revision(target: Target, obj: Object, record: Record) -> None:
    wanted = obj["metadata"].get("resourceVersion")
    if wanted and wanted not in ("0", str(record.revision)):
        raise conflict(target)


def content(obj: Object) -> Object:
    """What counts for `generation`: everything but metadata and status."""
    return {k: v for k, v in obj.items() if k not in ("metadata", "status", "apiVersion", "kind")}


def store_update(api: Api, call: Call, obj: Object, record: Record) -> Object:
    """Commit an updated object; an unchanged one is not written; without finalizers a dying one goes."""
    old = record.obj
    meta = obj["metadata"]
    if call.resource.counts_generation and content(obj) != content(old):
        meta["generation"] = int(old["metadata"].get("generation") or 0) + 1
    obj = to_stored(call.resource, obj)
    meta["resourceVersion"] = old["metadata"].get("resourceVersion")
    if call.dry_run:
        return obj
    if is_finished(obj):
        return api.store.delete(record.key, obj, record.revision).copy()
    if obj == old or _only_times_differ(obj, old):
        return record.copy()
    try:
        return api.store.put(record.key, obj, record.revision).copy()
    except Stale as error:
        raise conflict(call.resource.target(call.name)) from error


def _only_times_differ(obj: Object, old: Object) -> bool:
    """A write that changes nothing but the times in managedFields is no change."""
    if obj["metadata"].get("managedFields") == old["metadata"].get("managedFields"):
        return False
    return _without_times(obj) == _without_times(old)


def _without_times(obj: Object) -> Object:
    entries = [
        {k: v for k, v in e.items() if k != "time"} for e in obj["metadata"].get("managedFields") or []
    ]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


def is_finished(obj: Object) -> bool:
    """Marked for deletion, with nothing left that holds it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if meta.get("deletionGracePeriodSeconds"):
        return False
    return not (obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"))
