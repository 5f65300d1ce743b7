"""The Deployment controller: carries out the rollout plan and shows how far it is."""

import asyncio
import time
from collections.abc import Mapping

from lab.kube.client import Client
from lab.kube.errors import AlreadyExists
from lab.kube.kinds import DEPLOYMENTS, REPLICA_SETS
from lab.kube.objects import Key, Object, annotations, controller_of, is_deleting, key, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers import rollout
from lab.pocket.controllers.progress import deadline_in, deployment_status
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

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _replica_set_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        owner = controller_of(obj)
        if owner and owner.get("kind") == "Deployment":
            self._reconciler.enqueue((namespace(obj), owner["name"]))

    async def _reconcile(self, deployment_key: Key) -> float | None:
        deployment = self._watches.deployments.get(*deployment_key)
        if deployment is None or is_deleting(deployment):
            return None
        replica_sets = rollout.owned(deployment, self._watches.replica_sets.list(deployment_key[0]))
        plan = rollout.plan(deployment, replica_sets)
        if plan.create:
            replica_sets = [*replica_sets, await self._create(deployment, plan.create)]
        await asyncio.gather(
            *(self._scale(deployment, replica_sets, each, count) for each, count in plan.scale.items()),
            *(self._annotate(deployment, each, wanted) for each, wanted in plan.annotate.items()),
        )
        for stale in plan.delete:
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
            if rollout.owned(deployment, [found]):
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
            "metadata": {"annotations": {rollout.DESIRED: str(deployment["spec"].get("replicas", 1))}},
            "spec": {"replicas": count},
        }
        await self._client.patch(REPLICA_SETS, target, patch, namespace(deployment))
        way = "up" if count > before else "down"
        message = f"Scaled {way} replica set {target} from {before} to {count}"
        self._recorder.record(deployment, "ScalingReplicaSet", message)

    async def _annotate(self, deployment: Object, target: str, wanted: Mapping[str, str]) -> None:
        patch = {"metadata": {"annotations": dict(wanted)}}
        await self._client.patch(REPLICA_SETS, target, patch, namespace(deployment))

    async def _show(self, deployment: Object, replica_sets: list[Object]) -> None:
        new = rollout.current(deployment, replica_sets)
        revision = annotations(new or {}).get(rollout.REVISION)
        if revision and annotations(deployment).get(rollout.REVISION) != revision:
            patch = {"metadata": {"annotations": {rollout.REVISION: revision}}}
            await self._client.patch(DEPLOYMENTS, name(deployment), patch, namespace(deployment))
        await self._patch_status(deployment, deployment_status(deployment, replica_sets, time.time()))

    async def _patch_status(self, deployment: Object, status: dict[str, object]) -> None:
        if patch := difference(status, deployment.get("status") or {}):
            await self._client.patch(
                DEPLOYMENTS, name(deployment), {"status": patch}, namespace(deployment), "status"
            )
