"""Which pods a ReplicaSet should make or delete, and the status it shows.

Pure. The replicaset controller carries the plan out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import (
    Object,
    condition,
    is_condition_true,
    is_deleting,
    labels,
    name,
    owner_reference,
    parse_time,
    uid,
)
from lab.kube.selectors import from_label_selector


@dataclass(frozen=True)
class Scaling:
    """So many pods to make, these to delete."""

    create: int = 0
    delete: tuple[Object, ...] = ()


def is_active(pod: Object) -> bool:
    return not is_deleting(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def owned(replica_set: Object, pods: Sequence[Object]) -> list[Object]:
    """Active pods that this ReplicaSet controls."""
    wanted = uid(replica_set)
    return [
        pod
        for pod in pods
        if is_active(pod)
        and any(
            r.get("uid") == wanted and r.get("controller")
            for r in pod["metadata"].get("ownerReferences") or ()
        )
    ]


def scaling(replica_set: Object, pods: Sequence[Object]) -> Scaling:
    """`pods` are the owned ones. The least useful go first: unbound, pending, not ready, young."""
    if is_deleting(replica_set):
        return Scaling()
    surplus = len(pods) - desired(replica_set)
    if surplus <= 0:
        return Scaling(create=-surplus)
    return Scaling(delete=tuple(sorted(pods, key=_usefulness)[:surplus]))


def desired(replica_set: Object) -> int:
    wanted = replica_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def pod_from(replica_set: Object, suffix: str) -> Object:
    """A new pod of this ReplicaSet."""
    template = replica_set["spec"]["template"]
    meta = template.get("metadata") or {}
    own: dict[str, Any] = {
        "name": f"{name(replica_set)[:57]}-{suffix}",
        "generateName": f"{name(replica_set)}-",
        "namespace": replica_set["metadata"]["namespace"],
        "labels": meta.get("labels") or {},
        "ownerReferences": [owner_reference({"apiVersion": "apps/v1", "kind": "ReplicaSet", **replica_set})],
    }
    if meta.get("annotations"):
        own["annotations"] = meta["annotations"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"]}


def status(replica_set: Object, pods: Sequence[Object], now: float) -> dict[str, Any]:
    """The counts, as of `now`."""
    template = from_label_selector(
        {"matchLabels": (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}}
    )
    ready = [pod for pod in pods if is_condition_true(pod, "Ready")]
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(template.matches(labels(pod)) for pod in pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(available_at(replica_set, pod) <= now for pod in ready),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }


def next_look(replica_set: Object, pods: Sequence[Object], now: float) -> float | None:
    """Seconds until a ready pod becomes available by minReadySeconds."""
    later = [available_at(replica_set, p) - now for p in pods if is_condition_true(p, "Ready")]
    return min((seconds for seconds in later if seconds > 0), default=None)


def available_at(replica_set: Object, pod: Object) -> float:
    seconds = replica_set["spec"].get("minReadySeconds") or 0
    if not seconds:
        return 0.0
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return parse_time(since).timestamp() + seconds if since else 0.0


def _usefulness(pod: Object) -> tuple[int, int, int, float, str]:
    phase = (pod.get("status") or {}).get("phase")
    cost = pod["metadata"].get("annotations") or {}
    created = parse_time(pod["metadata"].get("creationTimestamp") or "1970-01-01T00:00:00Z").timestamp()
    ready = is_condition_true(pod, "Ready")
    return (
        int(bool(pod["spec"].get("nodeName"))) + {"Unknown": 1, "Running": 2}.get(str(phase), 0),
        int(ready),
        int(cost.get("controller.kubernetes.io/pod-deletion-cost") or 0),
        -created,
        name(pod),
    )
