"""Writes a desired object: nothing when it is there already, else a create or a merge patch.

Controllers of the cluster own their objects whole, so no server-side apply is needed here.
"""

from typing import Any

from lab.kube.client import Client
from lab.kube.errors import AlreadyExists, NotFound
from lab.kube.kinds import Kind
from lab.kube.objects import Object, name, namespace


async def ensure(client: Client, kind: Kind, desired: Object, current: Object | None) -> None:
    """Make the API server's object carry every field of `desired`; `current` is what was last seen."""
    if current is None:
        try:
            await client.create(kind, desired, namespace(desired))
            return
        except AlreadyExists:
            current = await client.get(kind, name(desired), namespace(desired))
    if patch := difference(desired, current):
        await client.patch(kind, name(desired), patch, namespace(desired))


async def remove(client: Client, kind: Kind, obj: Object) -> None:
    """Delete one object; one that is gone already is fine."""
    try:
        await client.delete(kind, name(obj), namespace(obj))
    except NotFound:
        return


def difference(desired: Any, current: Any) -> dict[str, Any]:
    """The merge patch that brings `desired`'s fields into `current`; {} when they are there."""
    patch = {}
    for field, value in desired.items():
        seen = current.get(field)
        if isinstance(value, dict) and isinstance(seen, dict):
            if inner := difference(value, seen):
                patch[field] = inner
        elif value != seen and not (seen is None and value in ({}, [])):
            patch[field] = value
    return patch
