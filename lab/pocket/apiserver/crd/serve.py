"""Keeps the registry in step with the stored CustomResourceDefinitions.

A definition is served as soon as the event loop turns after its commit, and its conditions say so.
Deleting one first deletes its objects, as its finalizer promises; objects with finalizers hold it.
"""

import asyncio
from dataclasses import replace

from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.kube.objects import now
from lab.pocket.apiserver.context import Api
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import StoreFailed
from lab.pocket.apiserver.storage.watch import Subscription

from .conditions import accepted, established, is_true, stored_versions, terminating, with_conditions
from .rows import rows_of

log = get_logger(__name__)
PREFIX = "apiextensions.k8s.io/customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


class CustomResources:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._task: asyncio.Task[None] | None = None
        self._removals: dict[Key, asyncio.Task[None]] = {}
        self._shapes: dict[str, Object] = {}

    def start(self) -> None:
        store = self._api.store
        for record in store.list(PREFIX):
            self._follow(record.key, record.copy())
        subscription = store.subscribe(PREFIX, "", store.head)
        self._task = asyncio.create_task(self._run(subscription), name="custom resources")

    async def stop(self) -> None:
        tasks = [task for task in (self._task, *self._removals.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, subscription: Subscription) -> None:
        while not subscription.dropped:
            for change in await subscription.take(3600.0):
                if change.type == "DELETED":
                    self._forget(change.record.obj)
                    continue
                current = self._api.store.get(change.record.key)
                if current is not None:
                    await self._follow_when_it_can_be_stored(current.key)

    async def _follow_when_it_can_be_stored(self, key: Key) -> None:
        """A full disk passes; a definition that was written must be served then."""
        backoff = Backoff(0.2, 5.0)
        while (current := self._api.store.get(key)) is not None:
            try:
                self._follow(key, current.copy())
                return
            except StoreFailed as error:
                log.warning("definition not taken up", name=key.name, error=error, remedy=error.remedy)
            await backoff.pause()

    def _follow(self, key: Key, crd: Object) -> None:
        if crd["metadata"].get("deletionTimestamp"):
            self._serve(key, crd, dying=True)
            if key not in self._removals:
                self._removals[key] = asyncio.create_task(self._remove(key), name=f"removal of {key.name}")
            return
        crd = self._publish(key, crd)
        self._serve(key, crd)

    def _serve(self, key: Key, crd: Object, *, dying: bool = False) -> None:
        """Rows under the accepted names; a dying definition takes no new objects."""
        if not is_true(crd, "Established"):
            self._api.registry.set_custom(key.name, [])
            return
        names = (crd.get("status") or {}).get("acceptedNames") or crd["spec"]["names"]
        rows = rows_of({**crd, "spec": {**crd["spec"], "names": names}})
        if dying:
            rows = [replace(row, verbs=tuple(v for v in row.verbs if v != "create")) for row in rows]
        self._api.registry.set_custom(key.name, rows)
        self._reshape(key, [row for row in rows if row.version == row.storage_version])

    def _reshape(self, key: Key, rows: list[Resource]) -> None:
        """Objects stored under an earlier schema are shown as the present one has them."""
        for row in rows:
            if row.schema is None or self._shapes.get(key.name) == row.schema.raw:
                continue
            self._shapes[key.name] = row.schema.raw
            self._api.store.reread(row.prefix, row.schema.reshape)

    def _forget(self, crd: Object) -> None:
        name, group = crd["metadata"]["name"], crd["spec"]["group"]
        self._shapes.pop(name, None)
        self._api.registry.set_custom(name, [])
        self._api.store.drop_watchers(f"{group}/{crd['spec']['names']['plural']}")
        self._reconsider(name, group)

    def _reconsider(self, name: str, group: str) -> None:
        """Names may have become free for the group's other definitions."""
        for record in self._api.store.list(PREFIX):
            waiting = record.obj["spec"]["group"] == group and not is_true(record.obj, "NamesAccepted")
            if waiting and record.key.name != name:
                self._follow(record.key, record.copy())

    def _publish(self, key: Key, crd: Object) -> Object:
        """Write the status and the clean-up finalizer; returns the definition as it is then."""
        store, record = self._api.store, self._api.store.get(key)
        if record is None:
            return crd
        others = [
            r.obj
            for r in store.list(PREFIX)
            if r.key != key and r.obj["spec"]["group"] == crd["spec"]["group"]
        ]
        obj = record.copy()
        status = obj.setdefault("status", {})
        names, condition = accepted(crd, others)
        freed = status.get("acceptedNames") not in (None, names)
        good = condition["status"] == "True"
        status["acceptedNames"] = names
        status["conditions"] = with_conditions(crd, condition, established(crd, good))
        status["storedVersions"] = stored_versions(crd)
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            obj["metadata"]["finalizers"] = [*finalizers, FINALIZER]
        if obj != record.obj:
            store.put(key, obj, record.revision)
        if freed:
            self._reconsider(key.name, crd["spec"]["group"])
        return obj

    async def _remove(self, key: Key) -> None:
        """Delete the objects, wait until the last one is gone, then let the definition go."""
        store = self._api.store
        record = store.get(key)
        if record is not None:
            spec = record.obj["spec"]
            prefix = f"{spec['group']}/{spec['names']['plural']}"
            subscription = store.subscribe(prefix, "", store.head)
            try:
                while left := self._delete_objects(prefix):
                    self._say(key, left)
                    await subscription.take(3600.0)
            finally:
                subscription.close()
            self._release(key)
        self._removals.pop(key, None)

    def _delete_objects(self, prefix: str) -> int:
        """Objects without finalizers go, the others are marked; how many are left."""
        store, left = self._api.store, 0
        for record in store.list(prefix):
            obj = record.copy()
            if not obj["metadata"].get("finalizers"):
                store.delete(record.key, obj, record.revision)
                continue
            left += 1
            if not obj["metadata"].get("deletionTimestamp"):
                obj["metadata"].update(deletionTimestamp=now(), deletionGracePeriodSeconds=0)
                store.put(record.key, obj, record.revision)
        return left

    def _say(self, key: Key, left: int) -> None:
        record = self._api.store.get(key)
        if record is None:
            return
        obj = record.copy()
        obj.setdefault("status", {})["conditions"] = with_conditions(obj, terminating(left))
        if obj != record.obj:
            self._api.store.put(key, obj, record.revision)

    def _release(self, key: Key) -> None:
        current = self._api.store.get(key)
        if current is None:
            return
        obj = current.copy()
        left = [f for f in obj["metadata"].get("finalizers") or [] if f != FINALIZER]
        obj["status"]["conditions"] = with_conditions(obj, terminating(0))
        if left:
            obj["metadata"]["finalizers"] = left
            self._api.store.put(key, obj, current.revision)
        else:
            del obj["metadata"]["finalizers"]
            self._api.store.delete(key, obj, current.revision)
            self._forget(obj)
