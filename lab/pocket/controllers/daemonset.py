"""The DaemonSet controller: carries out the plan of `daemons`, one reconcile per set."""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.kinds import DAEMON_SETS
from lab.kube.objects import Key, Object, is_deleting, key, labels, name, namespace
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.claims import is_controlled_by
from lab.pocket.controllers.daemons import Plan, View, node_of, plan, pod_of, status
from lab.pocket.controllers.ownedpods import OwnedPods
from lab.pocket.controllers.podstate import next_look, phase
from lab.pocket.controllers.revisions import HASH_LABEL, History
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference
from lab.pocket.events import Recorder


class DaemonSetController:
    """A pod on every node that the set's template fits."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("daemonset", self._reconcile)
        owners = watches.daemon_sets
        self._pods = OwnedPods(client, watches.pods, owners, recorder, self._reconciler.enqueue)
        self._history = History(client, watches.controller_revisions, DAEMON_SETS)
        owners.subscribe(self._changed)
        watches.nodes.subscribe(self._node_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _what_counts(old) != _what_counts(new):
            for owner in self._watches.daemon_sets.list():
                self._reconciler.enqueue(key(owner))

    async def _reconcile(self, set_key: Key) -> float | None:
        owner = self._watches.daemon_sets.get(*set_key)
        if owner is None or is_deleting(owner):
            return None
        update, known, collisions = await self._history.settle(owner)
        suffix = labels(update)[HASH_LABEL]
        nodes = sorted(self._watches.nodes.list(), key=name)
        view = View(owner, suffix, nodes, await self._pods.claim(owner), time.time())
        problem: LabError | None = None
        try:
            await self._carry_out(view, plan(view))
        except LabError as error:
            problem = error
        mine = [pod for pod in self._pods.list(set_key[0]) if is_controlled_by(pod, owner)]
        await self._write_status(owner, status(View(owner, suffix, nodes, mine, time.time()), collisions))
        if problem:
            raise problem
        used = {labels(pod).get(HASH_LABEL) for pod in mine} | {suffix}
        live = [name(r) for r in known if labels(r).get(HASH_LABEL) in used]
        await self._history.trim(owner, known, live)
        return next_look(owner, mine, time.time())

    async def _carry_out(self, view: View, todo: Plan) -> None:
        for pod in todo.failed:
            told = f"Found {phase(pod).lower()} daemon pod {'/'.join(key(pod))} on node {node_of(pod)}"
            failed = phase(pod) == "Failed"
            reason = "FailedDaemonPod" if failed else "SucceededDaemonPod"
            self._recorder.record(view.owner, reason, f"{told}, will try to kill it", warning=failed)
        await asyncio.gather(
            *(self._pods.create(view.owner, pod_of(view, node)) for node in todo.create),
            *(self._pods.delete(view.owner, pod) for pod in (*todo.failed, *todo.delete)),
        )

    async def _write_status(self, owner: Object, wanted: dict[str, Any]) -> None:
        if patch := difference(wanted, owner.get("status") or {}):
            await self._client.patch(DAEMON_SETS, name(owner), {"status": patch}, namespace(owner), "status")


def _what_counts(node: Object) -> tuple[Any, Any]:
    return labels(node), (node.get("spec") or {}).get("taints")
