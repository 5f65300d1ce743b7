"""The road of every create and update: defaults, mutation, validation, in upstream's order.

Verbs call `admit`; built-in admission lives in builtin.py, calls to the outside in webhooks.py.
"""

from dataclasses import dataclass

from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import invalid
from lab.pocket.apiserver.storage.record import Object
from lab.pocket.apiserver.validate.metadata import metadata
from lab.pocket.apiserver.validate.names import object_name

from . import builtin
from .fields import check_fields


@dataclass(frozen=True)
class Change:
    """What is about to happen; `operation` is CREATE, UPDATE, DELETE or CONNECT."""

    operation: str
    obj: Object
    old: Object | None


async def admit(api: Api, call: Call, change: Change) -> Object:
    """The object as it may be stored, or a StatusError that says why not."""
    resource = call.resource
    obj, old = change.obj, change.old
    await check_fields(api, call, obj)
    _clean(api, call, obj)
    await builtin.mutate(api, call, obj, old)
    obj = await api.webhooks.mutate(call, Change(change.operation, obj, old))
    _clean(api, call, obj)
    builtin.finish(api, call, obj, old)
    name = str(obj["metadata"].get("name", ""))
    causes = [*(object_name(resource.kind, name) if old is None else ()), *metadata(obj)]
    if resource.schema is not None:
        causes += resource.schema.validate(obj, old)
    if call.subresource in ("", "status"):
        causes += resource.validate(obj, old)
    if causes:
        raise invalid(resource.target(name), causes)
    await api.webhooks.validate(call, Change(change.operation, obj, old))
    return obj


def _clean(api: Api, call: Call, obj: Object) -> None:
    resource = call.resource
    if resource.schema is not None:
        resource.schema.prune(obj)
        resource.schema.default(obj)
    resource.default(obj)
