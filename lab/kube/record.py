"""What the lab made in a cluster, written down in that cluster: one ConfigMap.

Entries that end in `-objects` list objects the lab created, so that they can be deleted again, and only
they: what was there before the lab came is never listed, even if the lab applied something onto it.
"""

import json
from collections.abc import Mapping, Sequence

from lab.base.concurrent import together
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS
from lab.kube.manifests import Unserved, apply_all, resolve
from lab.kube.objects import Object

NAMESPACE = "kube-system"
LISTS = "-objects"


async def read(client: Client) -> Mapping[str, str]:
    """All entries; none where the lab has written nothing."""
    try:
        return (await client.get(CONFIG_MAPS, client.record, NAMESPACE)).get("data") or {}
    except NotFound:
        return {}


async def note(client: Client, data: Mapping[str, str | None]) -> None:
    """Write entries; None forgets one."""
    try:
        await client.patch(CONFIG_MAPS, client.record, {"data": data}, NAMESPACE)
    except NotFound:
        fresh = {key: value for key, value in data.items() if value is not None}
        body = {"metadata": {"name": client.record, "namespace": NAMESPACE}, "data": fresh}
        await client.create(CONFIG_MAPS, body, NAMESPACE)


async def converge(client: Client, entry: str, wanted: Sequence[Object]) -> None:
    """Apply objects and delete those that an earlier call with the same entry created and are not wanted
    any more. The list is written first: an interrupted call is completed later."""
    before = listed(await read(client), entry)
    known = [*before, *await missing(client, [obj for obj in wanted if reference(obj) not in before])]
    await note(client, {entry: json.dumps(known)})
    await apply_all(client, wanted)
    kept = [reference(obj) for obj in wanted]
    for one in known:
        if one not in kept:
            await delete(client, one)
    await note(client, {entry: json.dumps([one for one in known if one in kept]) if kept else None})


def listed(record: Mapping[str, str], entry: str) -> list[Object]:
    """The references under one entry. Pure."""
    found: list[Object] = json.loads(record.get(entry, "[]"))
    return found


def reference(obj: Object) -> Object:
    """As much of an object as says which one it is. Pure."""
    place = {"name": objects.name(obj), "namespace": objects.namespace(obj)}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": place}


async def delete(client: Client, obj: Object) -> None:
    """Delete an object, or the one a reference is about; fine if it, or its kind, is gone, or if it is
    another's by now."""
    try:
        kind = await resolve(client, obj)
        space = objects.namespace(obj) or ("default" if kind.namespaced else "")
        if client.owns(await client.get(kind, objects.name(obj), space)):
            await client.delete(kind, objects.name(obj), space)
    except (NotFound, Unserved):
        return  # its owner's deletion, or that of its definition, was faster


async def missing(client: Client, objs: Sequence[Object]) -> list[Object]:
    """References to those that do not exist."""
    there = await together(*(_exists(client, obj) for obj in objs))
    return [reference(obj) for obj, exists in zip(objs, there, strict=True) if not exists]


async def _exists(client: Client, obj: Object) -> bool:
    try:
        kind = await resolve(client, obj)
        space = objects.namespace(obj) or ("default" if kind.namespaced else "")
        await client.get(kind, objects.name(obj), space)
    except (NotFound, Unserved):
        return False
    return True
