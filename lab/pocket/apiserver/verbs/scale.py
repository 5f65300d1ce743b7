"""The scale subresource: autoscaling/v1 Scale over an object's replicas."""

from dataclasses import replace
from typing import Any

from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import bad_request, invalid, invalid_value
from lab.pocket.apiserver.http.body import decode, decode_object, media_type
from lab.pocket.apiserver.resources.model import Scale
from lab.pocket.apiserver.resources.versions import to_served
from lab.pocket.apiserver.storage.record import Object

from . import patch as patching
from .objects import find
from .options import APPLY
from .update import Edit, edit


def _dig(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _put(obj: Object, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for step in parents:
        obj = obj.setdefault(step, {})
    obj[last] = value


def _selector(obj: Object, scale: Scale) -> str:
    if scale.selector:
        return str(_dig(obj, scale.selector) or "")
    labels = _dig(obj, scale.labels) or {}
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


def view(call: Call, obj: Object) -> Object:
    scale = call.resource.scale or Scale()
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = _dig(obj, scale.spec)
    status: Object = {"replicas": _dig(obj, scale.status) or 0}
    if selector := _selector(obj, scale):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: meta[k] for k in kept if k in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


async def get(api: Api, call: Call) -> Answer:
    return Answer(view(call, to_served(call.resource, find(api, call).obj)))


async def update(api: Api, call: Call) -> Answer:
    wanted = decode_object(call.body, call.content_type)
    return await _change(api, call, lambda current: wanted)


async def patch(api: Api, call: Call) -> Answer:
    kind = media_type(call.content_type)
    body = decode(call.body, call.content_type)
    if kind == APPLY:
        kind = patching.MERGE
    return await _change(api, call, lambda current: patching.patched(call, kind, current, body))


async def _change(api: Api, call: Call, make: Any) -> Answer:
    scale = call.resource.scale or Scale()

    def change(current: Object) -> Object:
        wanted = make(view(call, current))
        spec = wanted.get("spec") if isinstance(wanted, dict) else None
        if not isinstance(spec, dict | None):
            raise bad_request("spec must be an object")
        replicas = (spec or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
            raise invalid(
                replace(call.resource.target(call.name), kind="Scale", group="autoscaling"), [cause]
            )
        _put(current, scale.spec, replicas)
        if revision := (wanted.get("metadata") or {}).get("resourceVersion"):
            current["metadata"]["resourceVersion"] = revision
        return current

    main = replace(call, subresource="")
    return Answer(view(call, await edit(api, main, Edit(change, part="scale"))))
