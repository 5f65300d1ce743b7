"""The apply patch: reads the configuration, decides between create and merge, reports conflicts."""

from typing import Any

from lab.pocket.apiserver.context import Answer, Api, Call
from lab.pocket.apiserver.errors import StatusError, bad_request
from lab.pocket.apiserver.patching.apply import Applied, Conflict, apply_config, first_owners
from lab.pocket.apiserver.patching.fields import Untypable
from lab.pocket.apiserver.patching.managed import Manager, manager_of
from lab.pocket.apiserver.storage.record import Object

from .create import create_object
from .objects import check_type, key_of, place
from .update import Edit, edit


async def apply(api: Api, call: Call, config: Any) -> Answer:
    manager = manager_of(call, "Apply")
    if not isinstance(config, dict):
        raise bad_request("an apply configuration must be an object")
    check_type(call.resource, config)
    place(call, config)
    meta = config["metadata"]
    if meta.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if meta.setdefault("name", call.name) != call.name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})"
        )
    if api.store.get(key_of(call)) is None:
        return await _create(api, call, config, manager)
    return Answer(await _merge(api, call, config, manager), resource=call.resource)


async def _create(api: Api, call: Call, config: Object, manager: Manager) -> Answer:
    from lab.pocket.apiserver.errors import not_found

    if call.subresource:
        raise not_found(call.resource.target(call.name))
    try:
        config["metadata"]["managedFields"] = first_owners(config, manager, call.resource)
    except Untypable as error:
        raise _untypable(call, error) from error
    return Answer(await create_object(api, call, config), 201, call.resource)


async def _merge(api: Api, call: Call, config: Object, manager: Manager) -> Object:
    force = call.query.get("force", "") in ("true", "1")

    def change(live: Object) -> Object:
        try:
            applied: Applied = apply_config(live, config, manager, call.resource, force=force)
        except Untypable as error:
            raise _untypable(call, error) from error
        if applied.conflicts:
            raise conflict(applied.conflicts)
        return applied.obj

    return await edit(api, call, Edit(change, applies=True))


def _untypable(call: Call, error: Untypable) -> StatusError:
    what = f"{call.namespace}/{call.name}; {call.resource.api_version}, Kind={call.resource.kind}"
    return bad_request(f"failed to create typed patch object ({what}): {error}")


def conflict(found: tuple[Conflict, ...]) -> StatusError:
    texts = []
    for one in found:
        how = f' with subresource "{one.manager.subresource}"' if one.manager.subresource else ""
        how += f" using {one.manager.api_version}" if one.manager.operation == "Update" else ""
        texts.append((f'conflict with "{one.manager.name}"{how}', one.text()))
    noun = "conflict" if len(found) == 1 else "conflicts"
    if len(found) == 1:
        listed = f"{texts[0][0]}: {texts[0][1]}"
    else:
        grouped: dict[str, list[str]] = {}
        for who, path in texts:
            grouped.setdefault(who, []).append(path)
        listed = "\n".join(
            "\n- ".join([f"{who.replace('conflict ', 'conflicts ')}:", *paths])
            for who, paths in sorted(grouped.items())
        )
    causes = [{"reason": "FieldManagerConflict", "message": who, "field": path} for who, path in texts]
    message = f"Apply failed with {len(found)} {noun}: {listed}"
    return StatusError(409, "Conflict", message, {"causes": causes})
