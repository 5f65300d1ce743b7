"""The garbage collector: objects follow their owners, in the background, foreground or not at all.

It follows every kind that is served: those that other controllers watch through their informers, the
others by metadata alone. An owner that cannot be resolved, because its kind is not served or it would lie
in a namespace the dependent does not have, keeps its dependents, as upstream.
"""

import asyncio
from functools import partial
from typing import Any

from lab.kube.client import Client
from lab.kube.errors import Conflict, NotFound
from lab.kube.informer import Informer, all_synced
from lab.kube.kinds import CRDS, Kind
from lab.kube.objects import Object, is_deleting, meta, name, namespace, resource_version, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.discovery import served_kinds
from lab.pocket.controllers.ownership import FOREGROUND, ORPHAN, Graph, Item, finalizers, owners
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder

NOT_COLLECTED = ("events",)


class GarbageCollector:
    """One reconcile per object that has owners, or that waits for its dependents."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._recorder = client, recorder
        self._reconciler: Reconciler[Item] = Reconciler("garbage collector", self._reconcile)
        self._kinds_reconciler: Reconciler[str] = Reconciler("garbage collector kinds", self._follow)
        self._graph = Graph()
        self._informers: dict[Kind, Informer] = {}
        self._own: dict[Kind, asyncio.Task[None]] = {}
        self._fresh: asyncio.Queue[Informer] = asyncio.Queue()
        self._complete = asyncio.Event()
        self._unresolved: set[Item] = set()
        """Dependents of owners whose kind is not served: looked at again when kinds change."""
        for informer in watches:
            self._add(informer)

    async def run(self) -> None:
        self._kinds_reconciler.enqueue("all")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kinds_reconciler.run())
            group.create_task(self._collect())
            while True:  # started here, as a group that is being cancelled takes no tasks from within
                informer = await self._fresh.get()
                name = f"garbage {informer.kind.plural}"
                self._own[informer.kind] = group.create_task(informer.run(), name=name)

    async def _collect(self) -> None:
        await self._complete.wait()  # who sees half would take owners for absent
        await self._reconciler.run()

    async def _follow(self, what: str) -> None:
        """Follow kinds that are new, and leave those that are no longer served: their objects are gone."""
        served = await served_kinds(self._client, "list", "watch", "delete")
        wanted = {(k.group, k.plural): k for k in served if k.plural not in NOT_COLLECTED}
        for kind in [k for k in self._own if wanted.get((k.group, k.plural)) != k]:
            self._own.pop(kind).cancel()
            left = self._informers.pop(kind)
            if (kind.group, kind.plural) not in wanted:
                for obj in left.items.values():
                    self._take_note(kind, obj, None)
        fresh = [
            Informer(self._client, k, metadata_only=True) for k in wanted.values() if k not in self._informers
        ]
        for informer in fresh:
            self._add(informer)
            self._fresh.put_nowait(informer)
            if informer.kind == CRDS:
                informer.subscribe(self._kinds_changed)
        await all_synced(*fresh)
        self._complete.set()
        for item in self._unresolved:
            self._reconciler.enqueue(item)
        self._unresolved.clear()

    def _add(self, informer: Informer) -> None:
        kind = informer.kind
        self._informers[kind] = informer

        informer.subscribe(partial(self._take_note, kind))

    def _take_note(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        for item in self._graph.update(kind, old, new):
            self._reconciler.enqueue(item)

    def _kinds_changed(self, old: Object | None, new: Object | None) -> None:
        self._kinds_reconciler.enqueue("all")

    def _get(self, item: Item) -> Object | None:
        informer = self._informers.get(item.kind)
        return informer.get(item.namespace, item.name) if informer else None

    async def _reconcile(self, item: Item) -> None:
        obj = self._get(item)
        if obj is None:
            return
        if is_deleting(obj):
            if ORPHAN in finalizers(obj):
                await self._orphan(item, obj)
            elif FOREGROUND in finalizers(obj):
                await self._foreground(item, obj)
            return
        states = [(owner, await self._state(item, obj, owner)) for owner in owners(obj)]
        kept = [owner for owner, state in states if state == "solid"]
        if kept and len(kept) < len(states):
            await self._patch(item, obj, {"ownerReferences": kept})
        elif states and not kept:
            waited_for = any(state == "waiting" for _, state in states)
            follows = waited_for and self._graph.dependents(uid(obj))
            await self._delete(item, obj, "Foreground" if follows else "Background")

    async def _state(self, item: Item, obj: Object, owner: dict[str, Any]) -> str:
        """solid, absent, or waiting (it is in foreground deletion and waits for its dependents)."""
        known = self._graph.item(owner["uid"])
        found = self._get(known) if known and known.namespace in ("", item.namespace) else None
        if found is None and self._graph.is_gone(owner["uid"]):
            return "absent"
        if found is None:
            kind = self._kind_of(owner)
            if kind is None:
                self._unresolved.add(item)
                return "solid"
            if kind.namespaced and not item.namespace:
                self._misplaced(obj, owner)
                return "solid"
            found = await self._look_up(kind, owner, item.namespace)
        if found is None or uid(found) != owner["uid"]:
            return "absent"
        return "waiting" if is_deleting(found) and FOREGROUND in finalizers(found) else "solid"

    def _kind_of(self, owner: dict[str, Any]) -> Kind | None:
        group = str(owner["apiVersion"]).rpartition("/")[0]
        return next((k for k in self._informers if (k.group, k.kind) == (group, owner["kind"])), None)

    def _misplaced(self, obj: Object, owner: dict[str, Any]) -> None:
        ident = f"{owner['apiVersion']}/{owner['kind']}, name: {owner['name']}, uid: {owner['uid']}"
        told = f'ownerRef [{ident}] does not exist in namespace ""'
        self._recorder.record(obj, "OwnerRefInvalidNamespace", told, warning=True)

    async def _look_up(self, kind: Kind, owner: dict[str, Any], space: str) -> Object | None:
        try:
            return await self._client.get(kind, owner["name"], space if kind.namespaced else "")
        except NotFound:
            return None

    async def _delete(self, item: Item, obj: Object, policy: str) -> None:
        options = {"preconditions": {"uid": uid(obj)}, "propagationPolicy": policy}
        try:
            await self._client.delete(item.kind, item.name, item.namespace, **options)
        except (NotFound, Conflict):
            return  # gone, or another object by that name

    async def _foreground(self, item: Item, obj: Object) -> None:
        """Delete the dependents that block; the last one's end brings us back."""
        blocking = [d for d in self._graph.dependents(uid(obj)) if self._blocks(d, uid(obj))]
        for dependent in blocking:
            found = self._get(dependent)
            if found is not None and not is_deleting(found):
                self._reconciler.enqueue(dependent)
        if not blocking:
            await self._remove_finalizer(item, obj, FOREGROUND)

    def _blocks(self, dependent: Item, owner: str) -> bool:
        mine = (o for o in owners(self._get(dependent)) if o["uid"] == owner)
        return any(o.get("blockOwnerDeletion") for o in mine)

    async def _orphan(self, item: Item, obj: Object) -> None:
        for dependent in self._graph.dependents(uid(obj)):
            found = self._get(dependent)
            if found is not None:
                kept = [owner for owner in owners(found) if owner["uid"] != uid(obj)]
                await self._patch(dependent, found, {"ownerReferences": kept})
        await self._remove_finalizer(item, obj, ORPHAN)

    async def _remove_finalizer(self, item: Item, obj: Object, finalizer: str) -> None:
        kept = [f for f in meta(obj).get("finalizers") or () if f != finalizer]
        await self._patch(item, obj, {"finalizers": kept})

    async def _patch(self, item: Item, obj: Object, change: dict[str, Any]) -> None:
        """Change metadata of exactly the object that was looked at; Conflict makes us look again."""
        patch = {"metadata": {**change, "uid": uid(obj), "resourceVersion": resource_version(obj)}}
        try:
            await self._client.patch(item.kind, name(obj), patch, namespace(obj))
        except NotFound:
            return
