"""The namespace controller: empties a namespace that is being deleted, then lets it go."""

import asyncio
import json
from typing import Any

from lab.kube.client import Client, Request
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import NAMESPACES, Kind
from lab.kube.objects import Object, is_deleting, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.discovery import served_kinds
from lab.pocket.controllers.remains import conditions
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference

AGAIN = 0.25
"""Seconds between looks at a namespace whose pods still end or whose finalizers others must remove."""


class NamespaceController:
    """One reconcile per namespace in deletion."""

    def __init__(self, client: Client, watches: Watches) -> None:
        self._client, self._watches = client, watches
        self._reconciler: Reconciler[str] = Reconciler("namespace", self._reconcile)
        watches.namespaces.subscribe(self._changed)
        watches.pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and is_deleting(new):
            self._reconciler.enqueue(name(new))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            owner = self._watches.namespaces.get("", namespace(old))
            if owner and is_deleting(owner):
                self._reconciler.enqueue(name(owner))

    async def _reconcile(self, space: str) -> float | None:
        owner = self._watches.namespaces.get("", space)
        if owner is None or not is_deleting(owner) or "kubernetes" not in _finalizers(owner):
            return None
        kinds = [k for k in await served_kinds(self._client, "list", "delete") if k.namespaced]
        found = await asyncio.gather(*(self._clear(kind, space) for kind in kinds))
        left = {kind: objects for kind, objects in zip(kinds, found, strict=True) if objects}
        if left:
            await self._tell(owner, left)
            return AGAIN
        body = {
            **owner,
            "spec": {
                **(owner.get("spec") or {}),
                "finalizers": [f for f in _finalizers(owner) if f != "kubernetes"],
            },
        }
        try:
            await self._client.replace(NAMESPACES, body, sub="finalize")
        except NotFound:
            return None
        return None

    async def _tell(self, owner: Object, left: dict[Kind, list[Object]]) -> None:
        wanted = {"conditions": conditions(owner, left)}
        if patch := difference(wanted, owner.get("status") or {}):
            try:
                await self._client.patch(NAMESPACES, name(owner), {"status": patch}, sub="status")
            except NotFound:
                return  # it went meanwhile

    async def _clear(self, kind: Kind, space: str) -> list[Object]:
        """Delete all objects of a kind; those that are still there."""
        path = kind.path(space)
        found = await self._list(path)
        if not found:
            return []
        fresh = [obj for obj in found if not is_deleting(obj)]
        await asyncio.gather(*(self._delete(kind, obj, space) for obj in fresh))
        return await self._list(path)

    async def _delete(self, kind: Kind, obj: Object, space: str) -> None:
        try:
            await self._client.delete(kind, name(obj), space, propagationPolicy="Background")
        except (NotFound, Conflict):
            return  # gone, or changed: the next look tells

    async def _list(self, path: str) -> list[Object]:
        try:
            answer = json.loads(await self._client.raw(Request("GET", path)))
        except NotFound:
            return []  # the kind itself went away
        items: list[Object] = answer.get("items") or []
        return items


def _finalizers(owner: Object) -> list[Any]:
    return list((owner.get("spec") or {}).get("finalizers") or ())
