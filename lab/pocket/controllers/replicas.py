"""Which pods a ReplicaSet should make or delete, and the status it shows.

Pure. The replicaset controller carries the plan out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object, condition, is_deleting, labels, name, now
from lab.kube.selectors import from_label_selector
from lab.pocket.controllers.podstate import is_available, is_ready, usefulness
from lab.pocket.controllers.templates import pod_from, random_name


@dataclass(frozen=True)
class Scaling:
    """So many pods to make, these to delete."""

    create: int = 0
    delete: tuple[Object, ...] = ()


def scaling(replica_set: Object, pods: Sequence[Object]) -> Scaling:
    """`pods` are the active ones that are owned; the least useful go first."""
    if is_deleting(replica_set):
        return Scaling()
    surplus = len(pods) - desired(replica_set)
    if surplus <= 0:
        return Scaling(create=-surplus)
    return Scaling(delete=tuple(sorted(pods, key=usefulness)[:surplus]))


def desired(replica_set: Object) -> int:
    wanted = replica_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def pod_of(replica_set: Object) -> Object:
    """A new pod of this ReplicaSet."""
    own_name, generate = random_name(name(replica_set))
    pod = pod_from(replica_set, own_name)
    pod["metadata"]["generateName"] = generate
    return pod


def status(replica_set: Object, pods: Sequence[Object], at: float, failure: str = "") -> dict[str, Any]:
    """The counts, as of `at`; `failure` is why pods could not be made or deleted."""
    template = from_label_selector({"matchLabels": labels(replica_set["spec"]["template"])})
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(template.matches(labels(pod)) for pod in pods),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(is_available(replica_set, pod, at) for pod in pods),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
        "conditions": _conditions(replica_set, failure, len(pods) < desired(replica_set)),
    }


def _conditions(replica_set: Object, failure: str, lacking: bool) -> list[dict[str, Any]]:
    seen = condition(replica_set, "ReplicaFailure")
    others = [
        c
        for c in (replica_set.get("status") or {}).get("conditions") or ()
        if c.get("type") != "ReplicaFailure"
    ]
    if not failure:
        return others
    if seen:
        return [*others, seen]
    entry = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate" if lacking else "FailedDelete",
        "message": failure,
        "lastTransitionTime": now(),
    }
    return [*others, entry]
