"""The life of nodes: a node whose lease is not renewed is unknown, its trouble shows as taints.

Time is counted in rounds of this controller. A cluster that is paused counts none, so nobody takes its
node for dead when it goes on; the same when the API server was paused, because a lease is asked for afresh
before a node is given up.
"""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import pause
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import LEASES, NODES, PODS
from lab.kube.objects import Object, condition, is_condition_true, is_deleting, name, namespace, now
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.taints import wanted_taints
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder

log = get_logger(__name__)
LEASE_NAMESPACE = "kube-node-lease"
ROUND = 5.0
"""Seconds between looks at all leases."""
GRACE = 10
"""Rounds without a renewed lease after which a node is unknown; 50 s, as upstream."""


class NodeLifecycle:
    """One reconcile per node for its taints; one loop for all leases."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[str] = Reconciler("node taints", self._reconcile)
        self._silent: dict[str, tuple[str, int]] = {}
        """Node -> the renewTime last seen, and for how many rounds."""
        watches.nodes.subscribe(self._changed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reconciler.run())
            group.create_task(self._watch_leases())

    async def _watch_leases(self) -> None:
        """Look at all leases, round after round, until cancelled."""
        while True:
            await pause(ROUND)
            if not self._watches.leases.is_live:
                self._silent.clear()  # nobody can renew anything while the server is away
            for node in self._watches.nodes.list():
                try:
                    await self._look(node)
                except LabError as error:
                    self._silent.pop(name(node), None)
                    log.info("node not judged", node=name(node), error=error)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._reconciler.enqueue(name(new))
        elif old is not None:
            self._silent.pop(name(old), None)

    async def _reconcile(self, node_name: str) -> None:
        node = self._watches.nodes.get("", node_name)
        if node is None or is_deleting(node):
            return
        taints = wanted_taints(node)
        if taints == list((node.get("spec") or {}).get("taints") or ()):
            return
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": taints or None},
        }
        try:
            await self._client.patch(NODES, node_name, patch)
        except NotFound:
            return

    async def _look(self, node: Object) -> None:
        renewed = _renewed(self._watches.leases.get(LEASE_NAMESPACE, name(node)))
        seen, rounds = self._silent.get(name(node), ("", 0))
        rounds = rounds + 1 if renewed == seen else 0
        self._silent[name(node)] = (renewed, rounds)
        if rounds < GRACE or (condition(node, "Ready") or {}).get("status") == "Unknown":
            return
        asked = time.monotonic()
        fresh = await self._lease(name(node))
        if time.monotonic() - asked > 1.0 or _renewed(fresh) != renewed:
            self._silent.pop(name(node))  # the server was away, and nobody could renew anything
            return
        await self._give_up(node)

    async def _lease(self, node_name: str) -> Object | None:
        try:
            return await self._client.get(LEASES, node_name, LEASE_NAMESPACE)
        except NotFound:
            return None

    async def _give_up(self, node: Object) -> None:
        seen = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or ()}
        told = [_unknown(kind, seen.get(kind)) for kind in dict.fromkeys([*seen, "Ready"])]
        try:
            await self._client.patch(NODES, name(node), {"status": {"conditions": told}}, sub="status")
        except NotFound:
            return
        told_event = f"Node {name(node)} status is now: NodeNotReady"
        self._recorder.record(node, "NodeNotReady", told_event)
        for pod in self._watches.pods.list():
            if pod["spec"].get("nodeName") == name(node) and is_condition_true(pod, "Ready"):
                await self._not_ready(pod)

    async def _not_ready(self, pod: Object) -> None:
        others = [c for c in pod["status"]["conditions"] if c["type"] != "Ready"]
        ready = {**(condition(pod, "Ready") or {}), "status": "False", "lastTransitionTime": now()}
        patch = {"status": {"conditions": [*others, ready]}}
        try:
            await self._client.patch(PODS, name(pod), patch, namespace(pod), "status")
        except NotFound:
            return


def _renewed(lease: Object | None) -> str:
    return str(((lease or {}).get("spec") or {}).get("renewTime", ""))


def _unknown(kind: str, seen: dict[str, Any] | None) -> dict[str, Any]:
    if seen is None:
        told = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
    else:
        told = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    return {
        **(seen or {}),
        "type": kind,
        "status": "Unknown",
        "reason": told[0],
        "message": told[1],
        "lastTransitionTime": now(),
    }
