"""The status of a Deployment: counts and the conditions Available and Progressing.

Pure. `kubectl rollout status` and `kubectl wait` read nothing else.
"""

from collections.abc import Sequence
from typing import Any

from lab.kube.objects import Object, condition, name, now, parse_time
from lab.pocket.controllers.rollout import is_complete
from lab.pocket.controllers.sizes import surge, wanted
from lab.pocket.controllers.templating import current

DEADLINE = 600


def deployment_status(deployment: Object, replica_sets: Sequence[Object], at: float) -> dict[str, Any]:
    """Counts over all ReplicaSets, and both conditions."""
    counts = {
        field: sum(int((r.get("status") or {}).get(field) or 0) for r in replica_sets)
        for field in ("replicas", "readyReplicas", "availableReplicas")
    }
    new = current(deployment, replica_sets)
    return {
        **counts,
        "updatedReplicas": int(((new or {}).get("status") or {}).get("replicas") or 0),
        "unavailableReplicas": max(sum(wanted(r) for r in replica_sets) - counts["availableReplicas"], 0),
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "conditions": [
            _available(deployment, counts["availableReplicas"] >= wanted(deployment) - surge(deployment)[1]),
            _progressing(deployment, replica_sets, counts, at),
            *_failure(deployment, new or next(iter(replica_sets), None)),
        ],
    }


def deadline_in(deployment: Object, at: float) -> float | None:
    """Seconds until a rollout without progress is called failed; None when none is under way."""
    seen = condition(deployment, "Progressing") or {}
    if seen.get("reason") in (None, "NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    return max(_deadline(deployment) - at, 0.0) + 0.05


def _available(deployment: Object, good: bool) -> dict[str, Any]:
    if good:
        told = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        told = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return _condition(deployment, "Available", *told)


def _progressing(
    deployment: Object, replica_sets: Sequence[Object], counts: dict[str, int], at: float
) -> dict[str, Any]:
    new = current(deployment, replica_sets)
    what = f'ReplicaSet "{name(new)}"' if new else f'Deployment "{name(deployment)}"'
    seen = condition(deployment, "Progressing") or {}
    if deployment["spec"].get("paused"):
        return _condition(deployment, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    if is_complete(deployment, replica_sets):
        told = ("True", "NewReplicaSetAvailable", f"{what} has successfully progressed.")
        return _condition(deployment, "Progressing", *told)
    if seen.get("reason") == "DeploymentPaused":
        told = ("Unknown", "DeploymentResumed", "Deployment is resumed")
        return _condition(deployment, "Progressing", *told)
    moved = _moved(deployment, new, counts)
    if not moved and seen.get("reason") == "NewReplicaSetAvailable" and _is_observed(deployment):
        return seen  # pods were lost after a finished rollout: that is not a rollout
    if not moved and seen and _is_observed(deployment) and at > _deadline(deployment):
        told = ("False", "ProgressDeadlineExceeded", f"{what} has timed out progressing.")
        return _condition(deployment, "Progressing", *told)
    told = ("True", "ReplicaSetUpdated", f"{what} is progressing.")
    return _condition(deployment, "Progressing", *told, moved=moved)


def _failure(deployment: Object, replica_set: Object | None) -> list[dict[str, Any]]:
    """ReplicaFailure, as the ReplicaSet of the present template tells it."""
    seen = condition(replica_set or {}, "ReplicaFailure")
    if seen is None:
        return []
    told = (str(seen.get(field) or "") for field in ("status", "reason", "message"))
    return [_condition(deployment, "ReplicaFailure", *told)]


def _moved(deployment: Object, new: Object | None, counts: dict[str, int]) -> bool:
    """The rollout came nearer its end since the status was last written."""
    old = deployment.get("status") or {}
    updated = int(((new or {}).get("status") or {}).get("replicas") or 0)
    return (
        updated > int(old.get("updatedReplicas") or 0)
        or counts["readyReplicas"] > int(old.get("readyReplicas") or 0)
        or counts["availableReplicas"] > int(old.get("availableReplicas") or 0)
    )


def _deadline(deployment: Object) -> float:
    seen = condition(deployment, "Progressing") or {}
    limit = deployment["spec"].get("progressDeadlineSeconds")
    since = seen.get("lastUpdateTime") or now()
    return parse_time(since).timestamp() + (DEADLINE if limit is None else int(limit))


def _condition(
    deployment: Object, kind: str, status: str, reason: str, message: str, *, moved: bool = False
) -> dict[str, Any]:
    old = condition(deployment, kind) or {}
    same = old.get("status") == status and old.get("reason") == reason and old.get("message") == message
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": old["lastUpdateTime"] if same and not moved and "lastUpdateTime" in old else now(),
        "lastTransitionTime": old["lastTransitionTime"]
        if old.get("status") == status and "lastTransitionTime" in old
        else now(),
    }


def _is_observed(deployment: Object) -> bool:
    seen = (deployment.get("status") or {}).get("observedGeneration")
    return bool(seen == deployment["metadata"].get("generation", 0))
