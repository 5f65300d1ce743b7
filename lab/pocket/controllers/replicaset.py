"""The ReplicaSet controller: as many pods as wanted, no more, although its view of them lags behind."""

import asyncio
import random
import time

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS, REPLICA_SETS
from lab.kube.objects import Key, Object, controller_of, is_deleting, key, name, namespace, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers import replicas
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference
from lab.pocket.events import Recorder

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SEEN_WITHIN = 5.0
"""Seconds after which a pod we made but never saw is taken for lost."""


class ReplicaSetController:
    """One reconcile per ReplicaSet."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("replicaset", self._reconcile)
        self._made: dict[str, tuple[Object, float]] = {}
        self._dropped: set[str] = set()
        watches.replica_sets.subscribe(self._changed)
        watches.pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        self._made.pop(uid(pod), None)
        if new is None or is_deleting(new):
            self._dropped.discard(uid(pod))
        owner = controller_of(pod)
        if owner and owner.get("kind") == "ReplicaSet":
            self._reconciler.enqueue((namespace(pod), owner["name"]))

    async def _reconcile(self, replica_set_key: Key) -> float | None:
        replica_set = self._watches.replica_sets.get(*replica_set_key)
        if replica_set is None:
            return None
        pods = replicas.owned(replica_set, self._pods(replica_set_key[0]))
        plan = replicas.scaling(replica_set, pods)
        problem: LabError | None = None
        try:
            made = await asyncio.gather(*(self._create(replica_set) for _ in range(plan.create)))
            pods = [*pods, *made]
            await asyncio.gather(*(self._delete(replica_set, pod) for pod in plan.delete))
            pods = [pod for pod in pods if uid(pod) not in self._dropped]
        except LabError as error:
            problem = error
        await self._write_status(replica_set, replicas.status(replica_set, pods, time.time()))
        if problem:
            raise problem
        return replicas.next_look(replica_set, pods, time.time())

    def _pods(self, space: str) -> list[Object]:
        """What the informer has, with what we know better: pods just made and just deleted."""
        now = time.monotonic()
        self._made = {k: (pod, at) for k, (pod, at) in self._made.items() if now - at < SEEN_WITHIN}
        known = {uid(pod): pod for pod in self._watches.pods.list(space)}
        fresh = {k: pod for k, (pod, _) in self._made.items() if namespace(pod) == space}
        return [pod for k, pod in {**fresh, **known}.items() if k not in self._dropped]

    async def _create(self, replica_set: Object) -> Object:
        suffix = "".join(random.choices(ALPHABET, k=5))
        try:
            pod = await self._client.create(
                PODS, replicas.pod_from(replica_set, suffix), namespace(replica_set)
            )
        except LabError as error:
            self._recorder.record(replica_set, "FailedCreate", f"Error creating: {error}", warning=True)
            raise
        if self._watches.pods.get(namespace(pod), name(pod)) is None:
            self._made[uid(pod)] = (pod, time.monotonic())
        self._recorder.record(replica_set, "SuccessfulCreate", f"Created pod: {name(pod)}")
        return pod

    async def _delete(self, replica_set: Object, pod: Object) -> None:
        self._dropped.add(uid(pod))
        try:
            await self._client.delete(PODS, name(pod), namespace(pod), preconditions={"uid": uid(pod)})
        except NotFound:
            self._dropped.discard(uid(pod))
            return
        except LabError:
            self._dropped.discard(uid(pod))
            raise
        self._recorder.record(replica_set, "SuccessfulDelete", f"Deleted pod: {name(pod)}")

    async def _write_status(self, replica_set: Object, status: dict[str, int]) -> None:
        if patch := difference(status, replica_set.get("status") or {}):
            await self._client.patch(
                REPLICA_SETS, name(replica_set), {"status": patch}, namespace(replica_set), "status"
            )
