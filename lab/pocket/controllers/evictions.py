"""Ends pods that must not stay: on a node whose NoExecute taints they do not tolerate, or that is gone."""

import time

from lab.kube.client import Client
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import NODES, PODS
from lab.kube.objects import Key, Object, is_deleting, key, name, namespace, now, uid
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.podstate import is_finished
from lab.pocket.controllers.taints import leaves_at
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder

QUARANTINE = 40.0
"""Seconds a node may be missing before its pods are given up, as upstream: it may be coming back."""


class TaintEviction:
    """One reconcile per pod on a tainted node."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("taint eviction", self._reconcile)
        watches.pods.subscribe(self._pod_changed)
        watches.nodes.subscribe(self._node_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (old is None or old["spec"] != new["spec"]) and new["spec"].get("nodeName"):
            self._reconciler.enqueue(key(new))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        before, after = ((n or {}).get("spec") or {} for n in (old, new))
        if new is not None and before.get("taints") != after.get("taints"):
            for pod in self._watches.pods.list():
                if pod["spec"].get("nodeName") == name(new):
                    self._reconciler.enqueue(key(pod))

    async def _reconcile(self, pod_key: Key) -> float | None:
        pod = self._watches.pods.get(*pod_key)
        if pod is None or is_deleting(pod):
            return None
        node = self._watches.nodes.get("", str(pod["spec"].get("nodeName")))
        at = time.time()
        end = leaves_at(pod, node, at) if node is not None else None
        if end is None or end > at:
            return None if end is None else end - at
        told = f"Marking for deletion Pod {'/'.join(pod_key)}"
        self._recorder.record(pod, "TaintManagerEviction", told)
        why = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
        await _disrupt(self._client, pod, *why)
        await _delete(self._client, pod)
        return None


class PodGarbage:
    """Pods bound to a node that no longer exists end for good: nobody is there to report their end."""

    def __init__(self, client: Client, watches: Watches) -> None:
        self._client, self._watches = client, watches
        self._reconciler: Reconciler[str] = Reconciler("pod garbage", self._reconcile)
        self._missing: dict[str, float] = {}
        """Node -> since when it is not there."""
        watches.pods.subscribe(self._pod_changed)
        watches.nodes.subscribe(self._node_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        node = str(((new or {}).get("spec") or {}).get("nodeName") or "")
        if node and self._watches.nodes.get("", node) is None:
            self._reconciler.enqueue(node)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            self._reconciler.enqueue(name(old))

    async def _reconcile(self, node: str) -> float | None:
        if self._watches.nodes.get("", node) is not None or await self._exists(node):
            self._missing.pop(node, None)
            return None
        left = self._missing.setdefault(node, time.monotonic()) + QUARANTINE - time.monotonic()
        if left > 0:
            return left
        for pod in self._watches.pods.list():
            if pod["spec"].get("nodeName") == node:
                if not is_finished(pod):
                    told = ("DeletionByPodGC", "PodGC: node no longer exists")
                    await _disrupt(self._client, pod, *told, phase="Failed")
                await _delete(self._client, pod, grace=0)
        return None

    async def _exists(self, node: str) -> bool:
        try:
            await self._client.get(NODES, node)
        except NotFound:
            return False
        return True


async def _disrupt(client: Client, pod: Object, reason: str, message: str, phase: str = "") -> None:
    """Tell on the pod, before it goes, why it had to."""
    entry = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    others = [c for c in (pod.get("status") or {}).get("conditions") or () if c["type"] != "DisruptionTarget"]
    status = {"conditions": [*others, {**entry, "lastTransitionTime": now()}]}
    patch = {"status": {**status, **({"phase": phase} if phase else {})}}
    try:
        await client.patch(PODS, name(pod), patch, namespace(pod), "status")
    except NotFound:
        return


async def _delete(client: Client, pod: Object, grace: int | None = None) -> None:
    options = {} if grace is None else {"gracePeriodSeconds": grace}
    try:
        await client.delete(PODS, name(pod), namespace(pod), preconditions={"uid": uid(pod)}, **options)
    except (NotFound, Conflict):
        return
