"""create: from a request body to a committed object."""

from dataclasses import replace

from lab.pocket.apiserver.admission import builtin
from lab.pocket.apiserver.admission.pipeline import Change, admit
from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import already_exists, bad_request, invalid, not_unique, required
from lab.pocket.apiserver.http.body import decode_object
from lab.pocket.apiserver.patching.managed import manager_of, record_update
from lab.pocket.apiserver.resources.versions import to_served, to_stored
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import Exists

from .objects import check_type, generated_name, place, stamp_new

_RETRIES = 8  # of a generated name that is taken


async def create(api: Api, call: Call) -> Answer:
    obj = decode_object(call.body, call.content_type)
    check_type(call.resource, obj)
    return Answer(await create_object(api, call, obj), 201, call.resource)


async def create_object(api: Api, call: Call, obj: Object) -> Object:
    """Admit and store a decoded object; also the way a PUT and server-side apply create."""
    resource = call.resource
    if call.verb != "create":  # whoever may only update or patch may not create by it
        api.authorizer.require(call.user, replace(call, verb="create"))
    place(call, obj)
    meta = obj["metadata"]
    if meta.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    generated = not meta.get("name") and bool(meta.get("generateName"))
    if call.name and meta.get("name") != call.name:
        raise bad_request(
            f"the name of the object ({meta.get('name')}) does not match the name on the URL ({call.name})"
        )
    if not meta.get("name") and not generated:
        raise invalid(resource.target(""), [required("metadata.name", "name or generateName is required")])
    managed = meta.pop("managedFields", None)
    stamp_new(resource, obj)
    if resource.has("status"):
        obj.pop("status", None)
        if not resource.custom:
            obj["status"] = {}  # upstream's structs always show one: clients read its fields unasked
    obj = await admit(api, call, Change("CREATE", obj, None))
    if managed is not None:
        obj["metadata"]["managedFields"] = managed
    if call.verb != "patch":  # an apply says itself what it owns
        record_update(obj, None, manager_of(call), resource)
    stored = _commit(api, call, obj, generated)
    builtin.created(api, call, stored)
    return stored


def _commit(api: Api, call: Call, obj: Object, generated: bool) -> Object:
    resource = call.resource
    obj = to_stored(resource, obj)
    for _ in range(_RETRIES):
        name = obj["metadata"]["name"]
        key = Key(resource.prefix, call.namespace if resource.namespaced else "", name)
        if call.dry_run:
            if api.store.get(key) is not None:
                raise already_exists(resource.target(name))
            return to_served(resource, obj)
        try:
            return to_served(resource, api.store.put(key, obj, 0).copy())
        except Exists:
            if not generated:
                raise already_exists(resource.target(name)) from None
            obj["metadata"]["name"] = generated_name(obj["metadata"]["generateName"])
    raise not_unique(resource.target(obj["metadata"]["name"]))
