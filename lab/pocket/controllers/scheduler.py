"""The scheduler of a cluster with one node: binds every pod that the node may run, and says why not.

Only what a user of a one-node cluster can notice is looked at: readiness of the node, `nodeSelector` and
required node affinity, `schedulingGates`, taints that forbid scheduling, and claims that nothing has bound.
"""

from collections.abc import Callable

from lab.kube.client import Client
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import PODS
from lab.kube.objects import (
    Key,
    Object,
    condition,
    is_condition_true,
    is_deleting,
    key,
    name,
    namespace,
    now,
    uid,
)
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.affinity import is_wanted, tolerates
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder

NAME = "default-scheduler"
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Scheduler:
    """One reconcile per pod without a node."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("scheduler", self._reconcile)
        watches.pods.subscribe(self._pod_changed)
        watches.nodes.subscribe(self._all_may_fit)
        watches.persistent_volume_claims.subscribe(self._all_may_fit)

    async def run(self) -> None:
        await self._reconciler.run()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and is_pending(new):
            self._reconciler.enqueue(key(new))

    def _all_may_fit(self, old: Object | None, new: Object | None) -> None:
        for pod in self._watches.pods.list():
            if is_pending(pod):
                self._reconciler.enqueue(key(pod))

    async def _reconcile(self, pod_key: Key) -> None:
        pod = self._watches.pods.get(*pod_key)
        if pod is None or not is_pending(pod):
            return
        nodes = self._watches.nodes.list()
        if unbound := unbound_claim(pod, self._watches.persistent_volume_claims.get):
            await self._unschedulable(pod, [unbound] * len(nodes))
            return
        problems = {name(node): problem(pod, node) for node in nodes}
        fitting = next((node for node, why in problems.items() if not why), None)
        if fitting is None:
            await self._unschedulable(pod, [why for why in problems.values() if why])
            return
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name(pod), "namespace": namespace(pod), "uid": uid(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": fitting},
        }
        try:
            await self._client.create(PODS, binding, namespace(pod), sub="binding")
        except (Conflict, NotFound):
            return  # bound or deleted meanwhile: nothing is left to do
        self._recorder.record(
            pod, "Scheduled", f"Successfully assigned {namespace(pod)}/{name(pod)} to {fitting}"
        )

    async def _unschedulable(self, pod: Object, reasons: list[str]) -> None:
        total = len(self._watches.nodes.list())
        told = ", ".join(f"{reasons.count(r)} {r}" for r in sorted(set(reasons)))
        message = f"0/{total} nodes are available: {told}." if told else "no nodes available to schedule pods"
        self._recorder.record(pod, "FailedScheduling", message, warning=True)
        seen = condition(pod, "PodScheduled") or {}
        if seen.get("message") == message:
            return
        entry = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": now(),
        }
        others = [c for c in (pod.get("status") or {}).get("conditions") or () if c["type"] != "PodScheduled"]
        patch = {"status": {"conditions": [*others, entry]}}
        await self._client.patch(PODS, name(pod), patch, namespace(pod), "status")


def is_pending(pod: Object) -> bool:
    """Waits for a node, and for this scheduler to name one."""
    spec = pod["spec"]
    ours = spec.get("schedulerName") in (None, "", NAME)
    return ours and not spec.get("nodeName") and not spec.get("schedulingGates") and not is_deleting(pod)


def problem(pod: Object, node: Object) -> str:
    """Why the node may not run the pod; "" when it may."""
    if not is_wanted(pod["spec"], node):
        return "node(s) didn't match Pod's node affinity/selector"
    if (node.get("spec") or {}).get("unschedulable") and not tolerates(pod["spec"], UNSCHEDULABLE):
        return "node(s) were unschedulable"
    if not is_condition_true(node, "Ready"):
        return "node(s) were not ready"
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerates(pod["spec"], taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def unbound_claim(pod: Object, claim: Callable[[str, str], Object | None]) -> str:
    """Why the pod's claims keep it from running; "" when they are bound, or there are none."""
    for volume in pod["spec"].get("volumes") or ():
        if wanted := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            found = claim(namespace(pod), wanted)
            if found is None:
                return f'persistentvolumeclaim "{wanted}" not found'
            if (found.get("status") or {}).get("phase") != "Bound":
                return "pod has unbound immediate PersistentVolumeClaims"
    return ""
