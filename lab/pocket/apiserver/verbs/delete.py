"""delete and deletecollection: graceful for pods, held by finalizers, policies turned into finalizers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.pocket.apiserver.admission.pipeline import Change
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import bad_request, conflict, success
from lab.pocket.apiserver.http.body import decode
from lab.pocket.apiserver.storage.record import Object, Record

from .objects import find, is_finished, to_served
from .read import list_objects

_LONGEST = 1 << 31  # seconds of grace, all that fit into a date
_POLICIES = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


@dataclass(frozen=True)
class Options:
    """metav1.DeleteOptions from the body and the query."""

    grace: int | None = None
    policy: str = ""
    uid: str = ""
    revision: str = ""


def options_of(call: Call) -> Options:
    body = decode(call.body, call.content_type) if call.body.strip() else {}
    if not isinstance(body, dict):
        raise bad_request("DeleteOptions must be an object")
    grace: Any = body.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    try:
        seconds = None if grace is None else min(int(grace), _LONGEST)
    except (TypeError, ValueError, OverflowError):
        raise bad_request(f"gracePeriodSeconds must be a number, found {grace!r}") from None
    policy = body.get("propagationPolicy") or call.query.get("propagationPolicy", "")
    if body.get("orphanDependents") or call.query.get("orphanDependents") == "true":
        policy = "Orphan"
    if policy not in ("", "Background", *_POLICIES):
        raise bad_request(
            f'Invalid value: "{policy}": supported values: "Foreground", "Background", "Orphan"'
        )
    wanted = body.get("preconditions") or {}
    return Options(seconds, policy, str(wanted.get("uid") or ""), str(wanted.get("resourceVersion") or ""))


async def delete(api: Api, call: Call) -> Answer:
    options = options_of(call)
    record = find(api, call)
    await api.webhooks.validate(call, Change("DELETE", record.copy(), record.copy()))
    return delete_record(api, call, find(api, call), options)


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
    if call.resource.kind in ("Pod", "Service") and call.resource.group == "":
        return Answer(obj, resource=call.resource)
    return Answer(success(call.resource.target(record.key.name), obj["metadata"].get("uid", "")))


def _check_preconditions(call: Call, record: Record, options: Options) -> None:
    meta = record.obj["metadata"]
    for field, wanted in (("uid", options.uid), ("resourceVersion", options.revision)):
        if wanted and wanted != meta.get(field):
            word = "UID" if field == "uid" else "ResourceVersion"
            raise conflict(
                call.resource.target(call.name or record.key.name),
                f"the {word} in the precondition ({wanted}) does not match the {word} in record "
                f"({meta.get(field)}). The object might have been deleted and then recreated",
            )


def _hold(meta: Object, options: Options) -> None:
    """Foreground and Orphan deletion wait for the garbage collector, by finalizer."""
    if not options.policy:
        return
    kept = [f for f in meta.get("finalizers") or [] if f not in _POLICIES.values()]
    if options.policy in _POLICIES:
        kept.append(_POLICIES[options.policy])
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
        return max(options.grace, 0)
    return int((obj.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)


async def delete_collection(api: Api, call: Call) -> Answer:
    options = options_of(call)
    listed = list_objects(api, call).full()
    for obj in listed["items"]:
        one = _single(call, obj)
        record = api.store.get(_key(one))
        if record is not None:
            await api.webhooks.validate(one, Change("DELETE", record.copy(), record.copy()))
            current = api.store.get(record.key)
            if current is not None:
                delete_record(api, one, current, options)
    return Answer(listed, resource=call.resource)


def _single(call: Call, obj: Object) -> Call:
    from dataclasses import replace

    meta = obj["metadata"]
    return replace(call, verb="delete", name=meta["name"], namespace=meta.get("namespace", ""))


def _key(call: Call) -> Any:
    from .objects import key_of

    return key_of(call)


__all__ = ["Options", "delete", "delete_collection", "delete_record"]
