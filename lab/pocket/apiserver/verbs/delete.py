"""delete and deletecollection: graceful for pods, held by finalizers, policies turned into finalizers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lab.pocket.apiserver.admission.pipeline import Change
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import Target, conflict, success
from lab.pocket.apiserver.resources.versions import to_served
from lab.pocket.apiserver.storage.record import Object, Record

from .deleteoptions import FINALIZERS, Options, options_of
from .objects import find, is_finished, key_of
from .read import list_objects


async def delete(api: Api, call: Call) -> Answer:
    options = options_of(call)
    call = options.on(call)
    await _ask(api, call, find(api, call))
    return delete_record(api, call, find(api, call), options)


async def _ask(api: Api, call: Call, record: Record) -> None:
    """Webhooks see what is deleted as the old object; what they would change does not count."""
    obj = to_served(call.resource, record.copy())
    change = Change("DELETE", obj, obj)
    await api.webhooks.mutate(call, change)
    await api.webhooks.validate(call, change)


def delete_record(api: Api, call: Call, record: Record, options: Options) -> Answer:
    resource = call.resource
    _check_preconditions(call, record, options)
    obj = record.copy()
    meta = obj["metadata"]
    _hold(meta, options)
    grace = _grace(obj, options)
    dying = bool(meta.get("deletionTimestamp"))
    if not dying or grace < int(meta.get("deletionGracePeriodSeconds") or 0):
        end = datetime.now(UTC) + timedelta(seconds=grace)
        meta["deletionTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
        meta["deletionGracePeriodSeconds"] = grace
        if resource.counts_generation and not dying:
            meta["generation"] = int(meta.get("generation") or 0) + 1
    if obj["kind"] == "Namespace" and resource.group == "":
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    if is_finished(obj):
        return _finish(api, call, record, obj)
    if not call.dry_run and obj != record.obj:
        obj = api.store.put(record.key, obj, record.revision).copy()
    return Answer(to_served(resource, obj), resource=resource)


def _finish(api: Api, call: Call, record: Record, obj: Object) -> Answer:
    if not call.dry_run:
        obj = api.store.delete(record.key, obj, record.revision).copy()
    if call.resource.shows_deleted:
        return Answer(to_served(call.resource, obj), resource=call.resource)
    return Answer(success(call.resource.target(record.key.name), obj["metadata"].get("uid", "")))


def _check_preconditions(call: Call, record: Record, options: Options) -> None:
    """Upstream names the kind, not the resource, in these conflicts."""
    meta, resource = record.obj["metadata"], call.resource
    target = Target(resource.kind, resource.group, record.key.name, resource.kind)
    for word, wanted, found, since in (
        ("UID", options.uid, meta.get("uid"), "deleted and then recreated"),
        ("ResourceVersion", options.revision, meta.get("resourceVersion"), "modified"),
    ):
        if wanted and wanted != found:
            raise conflict(
                target,
                f"the {word} in the precondition ({wanted}) does not match the {word} in record ({found}). "
                f"The object might have been {since}",
            )


def _hold(meta: Object, options: Options) -> None:
    """Foreground and Orphan deletion wait for the garbage collector, by finalizer."""
    if not options.policy:
        return
    kept = [f for f in meta.get("finalizers") or [] if f not in FINALIZERS.values()]
    if options.policy in FINALIZERS:
        kept.append(FINALIZERS[options.policy])
    if kept:
        meta["finalizers"] = kept
    else:
        meta.pop("finalizers", None)


def _grace(obj: Object, options: Options) -> int:
    """Seconds the node has to stop a pod; everything else goes at once."""
    if obj["kind"] != "Pod" or obj["apiVersion"] != "v1":
        return 0
    if not (obj.get("spec") or {}).get("nodeName"):
        return 0
    if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return options.grace
    return int((obj.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)


async def delete_collection(api: Api, call: Call) -> Answer:
    """Deletes one after the other what the selectors name; the answer is the list of it."""
    options = options_of(call)
    call = options.on(call)
    listed = list_objects(api, call).full()
    for obj in listed["items"]:
        meta = obj["metadata"]
        one = replace(call, verb="delete", name=meta["name"], namespace=meta.get("namespace", ""))
        record = api.store.get(key_of(one))
        if record is not None:
            await _ask(api, one, record)
            current = api.store.get(record.key)
            if current is not None:
                delete_record(api, one, current, options)
    return Answer(listed, resource=call.resource)


__all__ = ["delete", "delete_collection", "delete_record"]
