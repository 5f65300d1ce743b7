"""The Deployment controller: carries out the rollout plan and shows how far it is."""

import asyncio
import time
from typing import Any

from lab.kube.client import Client
from lab.kube.errors import AlreadyExists
from lab.kube.kinds import DEPLOYMENTS, REPLICA_SETS
from lab.kube.objects import (
    Key,
    Object,
    annotations,
    controller_of,
    is_deleting,
    key,
    labels,
    name,
    namespace,
    uid,
)
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.claims import claim, is_controlled_by, selector_of, sort_out
from lab.pocket.controllers.progress import deadline_in, deployment_status
from lab.pocket.controllers.rollout import plan
from lab.pocket.controllers.sizes import REVISION, told_sizes
from lab.pocket.controllers.templating import current
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference, remove
from lab.pocket.events import Recorder


class DeploymentController:
    """One reconcile per Deployment."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("deployment", self._reconcile)
        watches.deployments.subscribe(self._changed)
        watches.replica_sets.subscribe(self._replica_set_changed)
        watches.pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _replica_set_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        owner = controller_of(obj)
        if owner and owner.get("kind") == "Deployment":
            self._reconciler.enqueue((namespace(obj), owner["name"]))
        elif owner is None:
            for deployment in self._watches.deployments.list(namespace(obj)):
                if selector_of(deployment).matches(labels(obj)):
                    self._reconciler.enqueue(key(deployment))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """Recreate goes on when the last old pod has gone."""
        if new is not None or old is None:
            return
        owner = controller_of(old) or {}
        replica_set = self._watches.replica_sets.get(namespace(old), str(owner.get("name")))
        if replica_set is not None and owner.get("uid") == uid(replica_set):
            self._replica_set_changed(replica_set, replica_set)

    async def _reconcile(self, deployment_key: Key) -> float | None:
        deployment = self._watches.deployments.get(*deployment_key)
        if deployment is None or is_deleting(deployment):
            return None
        claims = sort_out(deployment, self._watches.replica_sets.list(deployment_key[0]))
        replica_sets = await claim(self._client, (DEPLOYMENTS, REPLICA_SETS), deployment, claims)
        todo = plan(deployment, replica_sets, self._watches.pods.list(deployment_key[0]))
        if todo.create:
            replica_sets = [*replica_sets, await self._create(deployment, todo.create)]
        await asyncio.gather(
            *(self._scale(deployment, replica_sets, each, count) for each, count in todo.scale.items()),
            *(self._revise(deployment, each, patch) for each, patch in todo.revise.items()),
        )
        for stale in todo.delete:
            await remove(
                self._client, REPLICA_SETS, {"metadata": {"name": stale, "namespace": deployment_key[0]}}
            )
        await self._show(deployment, replica_sets)
        return deadline_in(deployment, time.time())

    async def _create(self, deployment: Object, replica_set: Object) -> Object:
        try:
            made = await self._client.create(REPLICA_SETS, replica_set)
        except AlreadyExists:
            found = await self._client.get(REPLICA_SETS, name(replica_set), namespace(replica_set))
            if is_controlled_by(found, deployment) and current(deployment, [found]):
                return found  # ours, from a moment ago: the informer has not told yet
            collisions = int((deployment.get("status") or {}).get("collisionCount") or 0) + 1
            await self._patch_status(deployment, {"collisionCount": collisions})
            raise
        count = replica_set["spec"]["replicas"]
        self._recorder.record(
            deployment, "ScalingReplicaSet", f"Scaled up replica set {name(made)} from 0 to {count}"
        )
        return made

    async def _scale(self, deployment: Object, replica_sets: list[Object], target: str, count: int) -> None:
        before = next(r["spec"].get("replicas", 1) for r in replica_sets if name(r) == target)
        patch = {
            "metadata": {"annotations": told_sizes(deployment)},
            "spec": {"replicas": count},
        }
        await self._client.patch(REPLICA_SETS, target, patch, namespace(deployment))
        if count == before:
            return  # told of the new total only
        way = "up" if count > before else "down"
        message = f"Scaled {way} replica set {target} from {before} to {count}"
        self._recorder.record(deployment, "ScalingReplicaSet", message)

    async def _revise(self, deployment: Object, target: str, patch: dict[str, Any]) -> None:
        await self._client.patch(REPLICA_SETS, target, patch, namespace(deployment))

    async def _show(self, deployment: Object, replica_sets: list[Object]) -> None:
        new = current(deployment, replica_sets)
        revision = annotations(new or {}).get(REVISION)
        if revision and annotations(deployment).get(REVISION) != revision:
            patch = {"metadata": {"annotations": {REVISION: revision}}}
            await self._client.patch(DEPLOYMENTS, name(deployment), patch, namespace(deployment))
        await self._patch_status(deployment, deployment_status(deployment, replica_sets, time.time()))

    async def _patch_status(self, deployment: Object, status: dict[str, object]) -> None:
        if patch := difference(status, deployment.get("status") or {}):
            await self._client.patch(
                DEPLOYMENTS, name(deployment), {"status": patch}, namespace(deployment), "status"
            )
