"""The ReplicaSet controller: as many pods as wanted, no more, although its view of them lags behind."""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.kinds import REPLICA_SETS
from lab.kube.objects import Key, Object, key, name, namespace, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers import replicas
from lab.pocket.controllers.ownedpods import OwnedPods
from lab.pocket.controllers.podstate import is_active, next_look
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference
from lab.pocket.events import Recorder


class ReplicaSetController:
    """One reconcile per ReplicaSet."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches = client, watches
        self._reconciler: Reconciler[Key] = Reconciler("replicaset", self._reconcile)
        owners = watches.replica_sets
        self._pods = OwnedPods(client, watches.pods, owners, recorder, self._reconciler.enqueue)
        owners.subscribe(self._changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    async def _reconcile(self, replica_set_key: Key) -> float | None:
        replica_set = self._watches.replica_sets.get(*replica_set_key)
        if replica_set is None:
            return None
        pods = await self._pods.claim(replica_set, is_active)
        plan = replicas.scaling(replica_set, pods)
        problem: LabError | None = None
        try:
            pods += await asyncio.gather(
                *(self._pods.create(replica_set, replicas.pod_of(replica_set)) for _ in range(plan.create))
            )
            await asyncio.gather(*(self._pods.delete(replica_set, pod) for pod in plan.delete))
            gone = {uid(pod) for pod in plan.delete}
            pods = [pod for pod in pods if uid(pod) not in gone]
        except LabError as error:
            problem = error
        await self._write_status(
            replica_set, replicas.status(replica_set, pods, time.time(), str(problem or ""))
        )
        if problem:
            raise problem
        return next_look(replica_set, pods, time.time())

    async def _write_status(self, replica_set: Object, status: dict[str, Any]) -> None:
        if patch := difference(status, replica_set.get("status") or {}):
            await self._client.patch(
                REPLICA_SETS, name(replica_set), {"status": patch}, namespace(replica_set), "status"
            )
