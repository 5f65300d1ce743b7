"""The StatefulSet controller: carries out the plan of `ordinals`, one reconcile per set.

Claims are made before the pods that mount them and outlive these, unless the set's retention policy says
otherwise: then a claim gets an owner, and the garbage collector does the rest.
"""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.errors import AlreadyExists, NotFound
from lab.kube.kinds import PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS
from lab.kube.objects import Key, Object, is_deleting, key, labels, name, namespace, owner_reference
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.claims import is_controlled_by
from lab.pocket.controllers.ordinals import (
    Plan,
    Revisions,
    View,
    abandoned,
    claims_of,
    is_member,
    plan,
    pod_of,
    status,
)
from lab.pocket.controllers.ownedpods import OwnedPods
from lab.pocket.controllers.podstate import next_look, phase
from lab.pocket.controllers.revisions import HASH_LABEL, History
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference
from lab.pocket.events import Recorder


class StatefulSetController:
    """Pods in order, each with its own name for life."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("statefulset", self._reconcile)
        owners = watches.stateful_sets
        self._pods = OwnedPods(client, watches.pods, owners, recorder, self._reconciler.enqueue)
        self._history = History(client, watches.controller_revisions, STATEFUL_SETS)
        owners.subscribe(self._changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    async def _reconcile(self, set_key: Key) -> float | None:
        owner = self._watches.stateful_sets.get(*set_key)
        if owner is None or is_deleting(owner):
            return None
        update, known, collisions = await self._history.settle(owner)
        wanted = (owner.get("status") or {}).get("currentRevision")
        current = next((r for r in known if name(r) == wanted), update)
        revisions = Revisions(current, update, collisions)
        pods = await self._pods.claim(owner, lambda pod: is_member(owner, pod))
        view = View(owner, revisions, pods, time.time())
        problem: LabError | None = None
        try:
            await self._carry_out(view, plan(view))
        except LabError as error:
            problem = error
        mine = [pod for pod in self._pods.list(set_key[0]) if is_controlled_by(pod, owner)]
        await self._write_status(owner, status(View(owner, revisions, mine, time.time())))
        if problem:
            raise problem
        live = {labels(pod).get(HASH_LABEL, "") for pod in mine} | {name(current), name(update)}
        await self._history.trim(owner, known, live)
        return next_look(owner, mine, time.time())

    async def _carry_out(self, view: View, todo: Plan) -> None:
        for pod in todo.failed:
            failed = phase(pod) == "Failed"
            reason = "RecreatingFailedPod" if failed else "RecreatingTerminatedPod"
            told = f"StatefulSet {'/'.join(key(view.owner))} is recreating {phase(pod)} Pod {name(pod)}"
            self._recorder.record(view.owner, reason, told, warning=failed)
        for pod in abandoned(view, todo.delete):
            await self._give_claims_to(view.owner, pod)
        await asyncio.gather(
            *(self._create(view, number) for number in todo.create),
            *(self._pods.delete(view.owner, pod) for pod in (*todo.failed, *todo.delete)),
        )

    async def _create(self, view: View, number: int) -> None:
        pod = pod_of(view, number)
        for volume_claim in claims_of(view.owner, name(pod)):
            try:
                await self._client.create(PERSISTENT_VOLUME_CLAIMS, volume_claim)
            except AlreadyExists:
                continue  # it outlives its pod: that is what it is for
            told = (
                f"create Claim {name(volume_claim)} Pod {name(pod)} in StatefulSet {name(view.owner)} success"
            )
            self._recorder.record(view.owner, "SuccessfulCreate", told)
        await self._pods.create(view.owner, pod)

    async def _give_claims_to(self, owner: Object, pod: Object) -> None:
        """The claims of a pod that goes for good go with it."""
        patch = {"metadata": {"ownerReferences": [owner_reference(pod)]}}
        for volume_claim in claims_of(owner, name(pod)):
            try:
                await self._client.patch(
                    PERSISTENT_VOLUME_CLAIMS, name(volume_claim), patch, namespace(owner)
                )
            except NotFound:
                continue

    async def _write_status(self, owner: Object, wanted: dict[str, Any]) -> None:
        if patch := difference(wanted, owner.get("status") or {}):
            await self._client.patch(
                STATEFUL_SETS, name(owner), {"status": patch}, namespace(owner), "status"
            )
