"""PersistentVolumeClaims as folders of the node: bound as soon as they appear, gone when nobody needs them.

There is one node, so every storage class and access mode comes to the same: a folder that outlives pods
and lives as long as its claim, or as the last pod that uses it. Sizes are shown, not enforced.
"""

import shutil
from pathlib import Path

from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced
from lab.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from lab.kube.objects import Key, Object, is_deleting, key, namespace, spec, status, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.events import Recorder
from lab.pocket.node.fields import BadReference


class Claims:
    """The claims of a cluster; folders lie below `root` as namespace/name/uid."""

    def __init__(self, client: Client, pods: Informer, recorder: Recorder, root: Path) -> None:
        self.informer = Informer(client, PERSISTENT_VOLUME_CLAIMS)
        self._client, self._pods, self._recorder, self._root = client, pods, recorder, root
        self._reconciler: Reconciler[Key] = Reconciler("claims", self._reconcile)

    def folder(self, space: str, claim: str) -> Path:
        """Where a claim's files are. Raises BadReference while there is no such claim, or not a bound one."""
        found = self.informer.get(space, claim)
        if found is None:
            raise BadReference(f'persistentvolumeclaim "{claim}" not found')
        if not _is_bound(found):
            raise BadReference(f'persistentvolumeclaim "{claim}" is not bound')
        return self._root / space / claim / uid(found)

    async def run(self) -> None:
        """Bind and clean up until cancelled."""
        await all_synced(self.informer, self._pods)
        self.informer.subscribe(lambda old, new: self._reconciler.enqueue(key(new or old or {})))
        self._pods.subscribe(self._pod_changed)
        for known in self._root.glob("*/*"):
            self._reconciler.enqueue((known.parent.name, known.name))
        await self._reconciler.run()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            for claim in _claims(old):
                self._reconciler.enqueue(claim)

    async def _reconcile(self, claim_key: Key) -> None:
        claim = self.informer.get(*claim_key)
        if claim is not None and not _is_bound(claim) and not is_deleting(claim):
            await self._bind(claim)
        if any(claim_key in _claims(pod) for pod in self._pods.list(claim_key[0])):
            return
        kept = uid(claim) if claim else ""
        for folder in self._root.joinpath(*claim_key).glob("*"):
            if folder.name != kept:
                shutil.rmtree(folder)

    async def _bind(self, claim: Object) -> None:
        if spec(claim).get("volumeMode") == "Block":
            text = "volumes of a pocket cluster are folders: volumeMode Block cannot be served"
            self._recorder.record(claim, "ProvisioningFailed", text, warning=True)
            return
        bound = {
            "phase": "Bound",
            "accessModes": spec(claim).get("accessModes") or [],
            "capacity": (spec(claim).get("resources") or {}).get("requests") or {},
        }
        space, name = key(claim)
        await self._client.patch(PERSISTENT_VOLUME_CLAIMS, name, {"status": bound}, space, "status")


def _is_bound(claim: Object) -> bool:
    return status(claim).get("phase") == "Bound"


def _claims(pod: Object) -> set[Key]:
    """The claims that a pod mounts."""
    sources = (volume.get("persistentVolumeClaim") or {} for volume in spec(pod).get("volumes") or ())
    return {(namespace(pod), source["claimName"]) for source in sources if source}
