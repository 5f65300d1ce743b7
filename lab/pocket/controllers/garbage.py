"""The garbage collector: objects follow their owners, in the background, foreground or not at all.

It follows the collections that the other controllers watch. An owner of another kind is looked up on
the server when a dependent appears or changes.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from lab.kube.client import Client, Request
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import KNOWN, Kind
from lab.kube.objects import Object, is_deleting, key, meta, name, namespace, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.watches import Watches

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True)
class _Item:
    """An object by kind and key."""

    kind: Kind
    namespace: str
    name: str


class GarbageCollector:
    """One reconcile per object that has owners, or that waits for its dependents."""

    def __init__(self, client: Client, watches: Watches) -> None:
        self._client = client
        self._informers = {informer.kind: informer for informer in watches}
        self._reconciler: Reconciler[_Item] = Reconciler("garbage collector", self._reconcile)
        self._dependents: dict[str, set[_Item]] = defaultdict(set)
        self._uids: dict[str, _Item] = {}
        for informer in watches:
            informer.subscribe(self._handler(informer.kind))

    async def run(self) -> None:
        await self._reconciler.run()

    def _handler(self, kind: Kind) -> Any:
        def changed(old: Object | None, new: Object | None) -> None:
            obj = new or old or {}
            item = _Item(kind, *key(obj))
            for owner in _owners(old):
                self._dependents[owner["uid"]].discard(item)
            if new is None or (old is not None and uid(old) != uid(new)):
                self._forget(old or obj)
            if new is not None:
                self._remember(item, new, old)

        return changed

    def _forget(self, gone: Object) -> None:
        self._uids.pop(uid(gone), None)
        for dependent in self._dependents.pop(uid(gone), ()):
            self._reconciler.enqueue(dependent)
        for owner in _owners(gone):
            if waiting := self._uids.get(owner["uid"]):
                self._reconciler.enqueue(waiting)

    def _remember(self, item: _Item, new: Object, old: Object | None) -> None:
        self._uids[uid(new)] = item
        for owner in _owners(new):
            self._dependents[owner["uid"]].add(item)
        is_new = old is None or _owners(old) != _owners(new)
        if (is_new and _owners(new)) or (is_deleting(new) and {FOREGROUND, ORPHAN} & _finalizers(new)):
            self._reconciler.enqueue(item)

    async def _reconcile(self, item: _Item) -> float | None:
        obj = self._informers[item.kind].get(item.namespace, item.name)
        if obj is None:
            return None
        if is_deleting(obj):
            if ORPHAN in _finalizers(obj):
                await self._orphan(item, obj)
            elif FOREGROUND in _finalizers(obj):
                return await self._foreground(item, obj)
            return None
        owners = _owners(obj)
        if not owners:
            return None
        states = [await self._state(owner, item.namespace) for owner in owners]
        if "present" in states:
            await self._drop_absent(item, owners, states)
        elif "waiting" in states:
            await self._delete(item, obj, "Foreground")
        else:
            await self._delete(item, obj, "Background")
        return None

    async def _state(self, owner: dict[str, Any], space: str) -> str:
        """present, absent, or waiting (it is in foreground deletion and waits for its dependents)."""
        if known := self._uids.get(owner["uid"]):
            found = self._informers[known.kind].get(known.namespace, known.name)
        else:
            found = await self._look_up(owner, space)
        if found is None or uid(found) != owner["uid"]:
            return "absent"
        return "waiting" if is_deleting(found) and FOREGROUND in _finalizers(found) else "present"

    async def _look_up(self, owner: dict[str, Any], space: str) -> Object | None:
        group, _, version = str(owner["apiVersion"]).rpartition("/")
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        kind = next(
            (k for k in KNOWN if (k.api_version, k.kind) == (owner["apiVersion"], owner["kind"])), None
        )
        try:
            if kind is None:
                listed = json.loads(await self._client.raw(Request("GET", path)))
                found = [
                    r for r in listed["resources"] if r["kind"] == owner["kind"] and "/" not in r["name"]
                ]
                if not found:
                    return None
                kind = Kind(group, version, owner["kind"], found[0]["name"], bool(found[0]["namespaced"]))
            return await self._client.get(kind, owner["name"], space if kind.namespaced else "")
        except NotFound:
            return None

    async def _delete(self, item: _Item, obj: Object, policy: str) -> None:
        options = {"preconditions": {"uid": uid(obj)}, "propagationPolicy": policy}
        try:
            await self._client.delete(item.kind, item.name, item.namespace, **options)
        except (NotFound, Conflict):
            return  # gone, or another object by that name

    async def _drop_absent(self, item: _Item, owners: list[dict[str, Any]], states: list[str]) -> None:
        kept = [owner for owner, state in zip(owners, states, strict=True) if state != "absent"]
        if kept != owners:
            patch = {"metadata": {"ownerReferences": kept}}
            await self._client.patch(item.kind, item.name, patch, item.namespace)

    async def _foreground(self, item: _Item, obj: Object) -> float | None:
        dependents = [d for d in self._dependents.get(uid(obj), set()) if self._blocks(d, uid(obj))]
        for dependent in dependents:
            found = self._informers[dependent.kind].get(dependent.namespace, dependent.name)
            if found is not None and not is_deleting(found):
                await self._delete(dependent, found, "Foreground")
        if dependents:
            return None  # the last one's end brings us back
        await self._remove_finalizer(item, obj, FOREGROUND)
        return None

    def _blocks(self, dependent: _Item, owner: str) -> bool:
        found = self._informers[dependent.kind].get(dependent.namespace, dependent.name)
        return found is not None and any(o["uid"] == owner for o in _owners(found))

    async def _orphan(self, item: _Item, obj: Object) -> None:
        for dependent in list(self._dependents.get(uid(obj), ())):
            found = self._informers[dependent.kind].get(dependent.namespace, dependent.name)
            if found is None:
                continue
            kept = [owner for owner in _owners(found) if owner["uid"] != uid(obj)]
            patch = {"metadata": {"ownerReferences": kept}}
            try:
                await self._client.patch(dependent.kind, dependent.name, patch, dependent.namespace)
            except NotFound:
                continue
        await self._remove_finalizer(item, obj, ORPHAN)

    async def _remove_finalizer(self, item: _Item, obj: Object, finalizer: str) -> None:
        kept = [f for f in meta(obj).get("finalizers") or () if f != finalizer]
        patch = {"metadata": {"finalizers": kept, "resourceVersion": meta(obj).get("resourceVersion")}}
        try:
            await self._client.patch(item.kind, name(obj), patch, namespace(obj))
        except NotFound:
            return


def _owners(obj: Object | None) -> list[dict[str, Any]]:
    return list(meta(obj or {}).get("ownerReferences") or ())


def _finalizers(obj: Object) -> set[str]:
    return set(meta(obj).get("finalizers") or ())
