"""Writes the mirror's desired objects into the local cluster: create, update or delete, only what differs.

It never touches an object that does not carry the mirror's mark.
"""

from lab.base.errors import LabError
from lab.controlplane.mirror.desired import merged
from lab.kube.client import Client
from lab.kube.errors import AlreadyExists, NotFound
from lab.kube.kinds import Kind
from lab.kube.objects import Object, name, namespace, resource_version, uid


class NotOurs(LabError):
    """An object of the mirror's name exists that somebody else made."""


class Writer:
    """Brings single objects to their desired state."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ensure(
        self, kind: Kind, existing: Object | None, wanted: Object, *, is_ours: bool = True
    ) -> bool:
        """Create or update; returns whether anything was written. Raises NotOurs."""
        where = f"{kind.kind} {namespace(wanted)}/{name(wanted)}"
        if existing is None:
            try:
                await self._client.create(kind, wanted)
            except AlreadyExists as error:
                # Either the informer is a moment behind, or somebody else's object has our name.
                existing = await self._client.get(kind, name(wanted), namespace(wanted))
                if not _shares_mark(existing, wanted):
                    raise NotOurs(f"{where} exists and is not a mirror; rename one of the two") from error
            else:
                return True
        if not is_ours:
            raise NotOurs(f"{where} exists and is not a mirror; rename one of the two")
        changed = merged(existing, wanted)
        if changed is None:
            return False
        await self._client.replace(kind, changed)
        return True

    async def remove(self, kind: Kind, existing: Object | None) -> bool:
        """Delete exactly the object that was seen, not a successor of the same name."""
        if existing is None:
            return False
        guard = {"uid": uid(existing)} if uid(existing) else {"resourceVersion": resource_version(existing)}
        try:
            await self._client.delete(kind, name(existing), namespace(existing), preconditions=guard)
        except NotFound:
            return False
        return True


def _shares_mark(existing: Object, wanted: Object) -> bool:
    prefix = "mirror.linkerd.io/mirrored-"
    ours = {k: v for k, v in (wanted["metadata"].get("labels") or {}).items() if k.startswith(prefix)}
    found = existing["metadata"].get("labels") or {}
    return all(found.get(key) == value for key, value in ours.items())
