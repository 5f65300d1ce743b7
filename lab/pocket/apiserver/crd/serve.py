"""Keeps the registry in step with the stored CustomResourceDefinitions.

A definition is served as soon as the event loop turns after its commit, and
its conditions say so. Deleting one first deletes its objects, as its finalizer promises.
"""

import asyncio

from lab.kube.objects import now
from lab.pocket.apiserver.context import Api
from lab.pocket.apiserver.storage.record import Key, Object
from lab.pocket.apiserver.storage.store import Stale
from lab.pocket.apiserver.storage.watch import Subscription

from .rows import rows_of

PREFIX = "apiextensions.k8s.io/customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


class CustomResources:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        store = self._api.store
        for record in store.list(PREFIX):
            self._follow(record.key, record.obj)
        subscription = store.subscribe(PREFIX, "", store.head)
        self._task = asyncio.create_task(self._run(subscription), name="custom resources")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, subscription: Subscription) -> None:
        while not subscription.dropped:
            for change in await subscription.take(3600.0):
                if change.type == "DELETED":
                    self._forget(change.record.obj)
                    continue
                current = self._api.store.get(change.record.key)
                if current is not None:
                    self._follow(current.key, current.obj)

    def _follow(self, key: Key, crd: Object) -> None:
        if crd["metadata"].get("deletionTimestamp"):
            self._clean_up(key, crd)
            return
        self._api.registry.set_custom(key.name, rows_of(crd))
        self._publish(key, crd)

    def _forget(self, crd: Object) -> None:
        self._api.registry.set_custom(crd["metadata"]["name"], [])
        self._api.store.drop_watchers(f"{crd['spec']['group']}/{crd['spec']['names']['plural']}")

    def _publish(self, key: Key, crd: Object) -> None:
        """Status: accepted names and the Established condition; and the clean-up finalizer."""
        record = self._api.store.get(key)
        if record is None:
            return
        obj = record.copy()
        status = obj.setdefault("status", {})
        status["acceptedNames"] = crd["spec"]["names"]
        status["conditions"] = _conditions(status.get("conditions") or [])
        stored = [v["name"] for v in crd["spec"]["versions"] if v.get("storage")]
        before = status.get("storedVersions") or []
        status["storedVersions"] = [*before, *(v for v in stored if v not in before)]
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            obj["metadata"]["finalizers"] = [*finalizers, FINALIZER]
        if obj != record.obj:
            self._api.store.put(key, obj, record.revision)

    def _clean_up(self, key: Key, crd: Object) -> None:
        prefix = f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"
        store = self._api.store
        for record in store.list(prefix):
            store.delete(record.key, record.copy(), record.revision)
        current = store.get(key)
        if current is None:
            return
        obj = current.copy()
        left = [f for f in obj["metadata"].get("finalizers") or [] if f != FINALIZER]
        obj["metadata"]["finalizers"] = left
        try:
            if left:
                store.put(key, obj, current.revision)
            else:
                del obj["metadata"]["finalizers"]
                store.delete(key, obj, current.revision)
                self._forget(obj)
        except Stale:
            return  # someone wrote meanwhile; the next change brings us back here


def _conditions(current: list[Object]) -> list[Object]:
    wanted = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    known = {c.get("type"): c for c in current}
    return [
        known[kind]
        if known.get(kind, {}).get("status") == "True"
        else {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": text,
            "lastTransitionTime": now(),
        }
        for kind, reason, text in wanted
    ]
