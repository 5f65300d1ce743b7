"""Which objects belong to a controller's owner: by owner reference, by adoption, no longer by release.

`sort_out` is pure and follows upstream's ControllerRefManager; `claim` carries it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import Kind
from lab.kube.objects import Object, controller_of, is_deleting, labels, name, namespace, owner_reference, uid
from lab.kube.selectors import NOTHING, LabelSelector, SelectorError, from_label_selector


@dataclass(frozen=True)
class Claims:
    """Objects that are the owner's, that it shall adopt, and that it shall let go."""

    owned: tuple[Object, ...] = ()
    adopt: tuple[Object, ...] = ()
    release: tuple[Object, ...] = ()


def selector_of(owner: Object) -> LabelSelector:
    """What the owner selects; one that cannot be read selects nothing, and so owns nothing."""
    try:
        return from_label_selector(owner["spec"].get("selector"))
    except SelectorError:
        return NOTHING


def is_controlled_by(obj: Object, owner: Object) -> bool:
    return (controller_of(obj) or {}).get("uid") == uid(owner)


def sort_out(owner: Object, objects: Iterable[Object]) -> Claims:
    """`objects` are of the owner's namespace. An owner on its way out neither adopts nor releases."""
    wanted, dying = selector_of(owner), is_deleting(owner)
    owned, adopt, release = [], [], []
    for obj in objects:
        matches = wanted.matches(labels(obj))
        if controller_of(obj) is None:
            if matches and not dying and not is_deleting(obj):
                adopt.append(obj)
        elif is_controlled_by(obj, owner):
            if matches:
                owned.append(obj)
            elif not dying:
                release.append(obj)
    return Claims(tuple(owned), tuple(adopt), tuple(release))


async def claim(client: Client, kinds: tuple[Kind, Kind], owner: Object, claims: Claims) -> list[Object]:
    """Carry out `claims`; `kinds` are the owner's and the objects'. Returns all that is owned now."""
    found = list(claims.owned)
    for obj in claims.release:
        await _patch(client, kinds[1], obj, {"$patch": "delete", "uid": uid(owner)})
    if claims.adopt and await _is_alive(client, kinds[0], owner):
        for obj in claims.adopt:
            adopted = await _patch(client, kinds[1], obj, owner_reference(owner))
            found += [adopted] if adopted else []
    return found


async def _is_alive(client: Client, kind: Kind, owner: Object) -> bool:
    """Asked afresh: adopting for an owner that has just gone would only feed the garbage collector."""
    try:
        seen = await client.get(kind, name(owner), namespace(owner))
    except NotFound:
        return False
    return uid(seen) == uid(owner) and not is_deleting(seen)


async def _patch(client: Client, kind: Kind, obj: Object, reference: Object) -> Object | None:
    patch = {"metadata": {"uid": uid(obj), "ownerReferences": [reference]}}
    try:
        return await client.patch(kind, name(obj), patch, namespace(obj), type="strategic")
    except NotFound:
        return None
