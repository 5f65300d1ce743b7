"""Who owns whom: the garbage collector's graph, kept from what informers tell. Does no I/O."""

from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any

from lab.kube.kinds import Kind
from lab.kube.objects import Object, is_deleting, key, meta, uid

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
REMEMBERED = 500
"""Uids of objects known to be gone, as upstream's cache of absent owners."""


@dataclass(frozen=True)
class Item:
    """An object by kind and key."""

    kind: Kind
    namespace: str
    name: str


class Graph:
    """Owners and dependents by uid."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[Item]] = defaultdict(set)
        self._gone: OrderedDict[str, None] = OrderedDict()

    def item(self, owner_uid: str) -> Item | None:
        return self._items.get(owner_uid)

    def is_gone(self, owner_uid: str) -> bool:
        """Seen, and seen to go."""
        return owner_uid in self._gone

    def dependents(self, owner_uid: str) -> list[Item]:
        return list(self._dependents.get(owner_uid, ()))

    def update(self, kind: Kind, old: Object | None, new: Object | None) -> set[Item]:
        """Take note of a change; returns what has to be looked at now."""
        item = Item(kind, *key(new or old or {}))
        for owner in owners(old):
            self._discard(owner["uid"], item)
        look_at: set[Item] = set()
        if old is not None and (new is None or uid(old) != uid(new)):
            look_at |= self._forget(old)
        if new is not None:
            look_at |= self._remember(item, old, new)
        return look_at

    def _forget(self, gone: Object) -> set[Item]:
        self._items.pop(uid(gone), None)
        self._gone[uid(gone)] = None
        while len(self._gone) > REMEMBERED:
            self._gone.popitem(last=False)
        waiting = (self._items.get(owner["uid"]) for owner in owners(gone))
        return self._dependents.pop(uid(gone), set()) | {each for each in waiting if each}

    def _remember(self, item: Item, old: Object | None, new: Object) -> set[Item]:
        self._items[uid(new)] = item
        for owner in owners(new):
            self._dependents[owner["uid"]].add(item)
        look_at: set[Item] = set()
        if owners(old) != owners(new):
            look_at |= {item} if owners(new) else set()
            lost = (self._items.get(owner["uid"]) for owner in owners(old))
            look_at |= {each for each in lost if each}
        if is_deleting(new) and {FOREGROUND, ORPHAN} & finalizers(new):
            look_at |= {item, *self.dependents(uid(new))}
        return look_at

    def _discard(self, owner_uid: str, item: Item) -> None:
        self._dependents[owner_uid].discard(item)
        if not self._dependents[owner_uid]:
            del self._dependents[owner_uid]


def owners(obj: Object | None) -> list[dict[str, Any]]:
    """The owner references; one without a uid refers to nothing."""
    return [owner for owner in meta(obj or {}).get("ownerReferences") or () if owner.get("uid")]


def finalizers(obj: Object) -> set[str]:
    return set(meta(obj).get("finalizers") or ())
