"""Past templates of StatefulSets and DaemonSets, as ControllerRevisions: which is new, which to forget.

Pure but for `History`, which reads and writes them. kubectl's `rollout history` and `undo` read nothing else.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from lab.kube.client import Client
from lab.kube.errors import AlreadyExists
from lab.kube.informer import Informer
from lab.kube.kinds import CONTROLLER_REVISIONS, Kind
from lab.kube.objects import Object, annotations, labels, name, namespace, owner_reference
from lab.pocket.controllers.claims import claim, is_controlled_by, sort_out
from lab.pocket.controllers.templates import template_hash
from lab.pocket.controllers.writing import remove

HASH_LABEL = "controller-revision-hash"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def patch_of(owner: Object) -> dict[str, Any]:
    """What brings the owner's template back: a strategic merge patch, its keys sorted as upstream's."""
    whole = {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}
    patch: dict[str, Any] = json.loads(json.dumps(whole, sort_keys=True))
    return patch


def revision_of(owner: Object, number: int, collisions: int) -> Object:
    """The ControllerRevision of the owner's present template."""
    data = patch_of(owner)
    suffix = template_hash(data, collisions)
    kept = {k: v for k, v in annotations(owner).items() if k != LAST_APPLIED}
    return {
        "apiVersion": CONTROLLER_REVISIONS.api_version,
        "kind": CONTROLLER_REVISIONS.kind,
        "metadata": {
            "name": f"{name(owner)[:223]}-{suffix}",
            "namespace": namespace(owner),
            "labels": {**labels(owner["spec"]["template"]), HASH_LABEL: suffix},
            **({"annotations": kept} if kept else {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "data": data,
        "revision": number,
    }


def with_template(owner: Object, revision: Object) -> Object:
    """The owner as it was when `revision` was its template."""
    template = {k: v for k, v in revision["data"]["spec"]["template"].items() if k != "$patch"}
    return {**owner, "spec": {**owner["spec"], "template": template}}


def latest_equal(owner: Object, revisions: Sequence[Object]) -> Object | None:
    """The newest revision of the owner's present template."""
    data = patch_of(owner)
    return max((r for r in revisions if r.get("data") == data), key=_number, default=None)


def surplus(owner: Object, revisions: Sequence[Object], live: Collection[str]) -> list[Object]:
    """The oldest revisions above the owner's limit; those named `live` do not count."""
    limit = owner["spec"].get("revisionHistoryLimit")
    idle = sorted((r for r in revisions if name(r) not in live), key=_number)
    return idle[: max(len(idle) - (10 if limit is None else int(limit)), 0)]


def _number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


class History:
    """The ControllerRevisions of one kind of owner."""

    def __init__(self, client: Client, revisions: Informer, owners: Kind) -> None:
        self._client, self._informer, self._owners = client, revisions, owners

    async def settle(self, owner: Object) -> tuple[Object, list[Object], int]:
        """(revision of the present template, all of them, collisionCount); the first is made if need be."""
        claims = sort_out(owner, self._informer.list(namespace(owner)))
        known = await claim(self._client, (self._owners, CONTROLLER_REVISIONS), owner, claims)
        collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
        found = latest_equal(owner, known)
        highest = max((_number(r) for r in known), default=0)
        if found is not None and _number(found) == highest:
            return found, known, collisions
        if found is not None:
            patch = {"revision": highest + 1}
            moved = await self._client.patch(CONTROLLER_REVISIONS, name(found), patch, namespace(owner))
            return moved, [moved if r is found else r for r in known], collisions
        made, collisions = await self._create(owner, highest + 1, collisions)
        return made, [*known, made], collisions

    async def trim(self, owner: Object, revisions: Sequence[Object], live: Collection[str]) -> None:
        """Forget what is above the history limit."""
        for old in surplus(owner, revisions, live):
            await remove(self._client, CONTROLLER_REVISIONS, old)

    async def _create(self, owner: Object, number: int, collisions: int) -> tuple[Object, int]:
        while True:
            wanted = revision_of(owner, number, collisions)
            try:
                return await self._client.create(CONTROLLER_REVISIONS, wanted), collisions
            except AlreadyExists:
                seen = await self._client.get(CONTROLLER_REVISIONS, name(wanted), namespace(owner))
            if seen.get("data") == wanted["data"] and is_controlled_by(seen, owner):
                return seen, collisions  # ours, from a moment ago: the informer has not told yet
            collisions += 1
