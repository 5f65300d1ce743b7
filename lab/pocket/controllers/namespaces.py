"""The namespace controller: empties a namespace that is being deleted, then lets it go."""

import asyncio
import json
from typing import Any

from lab.kube.client import Client, Request
from lab.kube.errors import ApiError, Conflict, NotFound
from lab.kube.kinds import NAMESPACES, Kind
from lab.kube.objects import Object, is_deleting, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.watches import Watches

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
        kinds = await namespaced_kinds(self._client)
        left = await asyncio.gather(*(self._clear(kind, space) for kind in kinds))
        if any(left):
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

    async def _clear(self, kind: Kind, space: str) -> int:
        """Delete all objects of a kind; how many are still there."""
        path = kind.path(space)
        found = await self._list(path)
        if not found:
            return 0
        fresh = [obj for obj in found if not is_deleting(obj)]
        await asyncio.gather(*(self._delete(kind, obj, space) for obj in fresh))
        return len(await self._list(path))

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


async def namespaced_kinds(client: Client) -> list[Kind]:
    """Every namespaced resource type that the server can list and delete."""
    groups = json.loads(await client.raw(Request("GET", "/apis")))
    versions = [g["preferredVersion"]["groupVersion"] for g in groups.get("groups") or ()]
    answers = await asyncio.gather(*(_resources(client, version) for version in ["v1", *versions]))
    return [kind for answer in answers for kind in answer]


async def _resources(client: Client, group_version: str) -> list[Kind]:
    path = f"/api/{group_version}" if "/" not in group_version else f"/apis/{group_version}"
    try:
        answer = json.loads(await client.raw(Request("GET", path)))
    except ApiError as error:
        if error.status in (404, 503):
            return []  # an aggregated or just removed group; its objects cannot be seen either
        raise
    group, _, version = group_version.rpartition("/")
    return [
        Kind(group, version, str(r["kind"]), str(r["name"]), namespaced=True)
        for r in answer.get("resources") or ()
        if r.get("namespaced") and "/" not in r["name"] and {"list", "delete"} <= set(r.get("verbs") or ())
    ]


def _finalizers(owner: Object) -> list[Any]:
    return list((owner.get("spec") or {}).get("finalizers") or ())
