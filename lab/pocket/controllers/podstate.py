"""What controllers read off a pod: whether it counts, since when it is available, how useful it is.

Pure. Shared by all kinds that own pods.
"""

from collections.abc import Iterable

from lab.kube.objects import Object, annotations, condition, is_condition_true, is_deleting, name, parse_time

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def is_finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    return not is_deleting(pod) and not is_finished(pod)


def is_ready(pod: Object) -> bool:
    return is_condition_true(pod, "Ready")


def is_available(owner: Object, pod: Object, now: float) -> bool:
    """Ready for the owner's `minReadySeconds`."""
    return is_ready(pod) and available_at(owner, pod) <= now


def available_at(owner: Object, pod: Object) -> float:
    """When a ready pod is, or becomes, available; seconds since the epoch."""
    seconds = owner["spec"].get("minReadySeconds") or 0
    if not seconds:
        return 0.0
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return parse_time(since).timestamp() + seconds if since else 0.0


def next_look(owner: Object, pods: Iterable[Object], now: float) -> float | None:
    """Seconds until a ready pod becomes available by minReadySeconds."""
    later = [available_at(owner, pod) - now for pod in pods if is_ready(pod)]
    return min((seconds for seconds in later if seconds > 0), default=None)


def created_at(obj: Object) -> float:
    return parse_time(obj["metadata"].get("creationTimestamp") or "1970-01-01T00:00:00Z").timestamp()


def usefulness(pod: Object) -> tuple[int, int, int, float, str]:
    """A sort key; the least useful come first: unbound, pending, not ready, cheap to delete, young."""
    return (
        int(bool(pod["spec"].get("nodeName"))) + {"Unknown": 1, "Running": 2}.get(phase(pod), 0),
        int(is_ready(pod)),
        _deletion_cost(pod),
        -created_at(pod),
        name(pod),
    )


def _deletion_cost(pod: Object) -> int:
    try:
        return int(annotations(pod).get(DELETION_COST) or 0)
    except ValueError:
        return 0  # as upstream: a cost that is no number counts as none
