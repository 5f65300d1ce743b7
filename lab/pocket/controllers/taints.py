"""Taints that tell a node's trouble, and how long a pod may stay on a tainted node. Pure."""

from typing import Any

from lab.kube.objects import Object, condition, now, parse_time
from lab.pocket.controllers.affinity import tolerates, tolerations_of

PREFIX = "node.kubernetes.io/"
NOT_READY, UNREACHABLE, UNSCHEDULABLE = f"{PREFIX}not-ready", f"{PREFIX}unreachable", f"{PREFIX}unschedulable"
OURS = (
    (NOT_READY, "NoSchedule"),
    (NOT_READY, "NoExecute"),
    (UNREACHABLE, "NoSchedule"),
    (UNREACHABLE, "NoExecute"),
    (UNSCHEDULABLE, "NoSchedule"),
)


def wanted_taints(node: Object) -> list[dict[str, Any]]:
    """The node's taints as they should be: others' as they are, ours as its condition and spec say."""
    spec = node.get("spec") or {}
    known = list(spec.get("taints") or ())
    due = _due(node)
    kept = [t for t in known if (t.get("key"), t.get("effect")) not in OURS or _ident(t) in due]
    seen = {_ident(t) for t in kept}
    return kept + [_taint(*each) for each in OURS if each in due and each not in seen]


def _due(node: Object) -> set[tuple[str, str]]:
    ready = (condition(node, "Ready") or {}).get("status")
    due = {(UNSCHEDULABLE, "NoSchedule")} if (node.get("spec") or {}).get("unschedulable") else set()
    if ready == "False":
        due |= {(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")}
    elif ready == "Unknown":
        due |= {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    return due


def _ident(taint: dict[str, Any]) -> tuple[str, str]:
    return str(taint.get("key")), str(taint.get("effect"))


def _taint(key: str, effect: str) -> dict[str, Any]:
    return {"key": key, "effect": effect, "timeAdded": now()}


def leaves_at(pod: Object, node: Object, at: float) -> float | None:
    """When the node's NoExecute taints end the pod, seconds since the epoch; None = never."""
    ends = []
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") != "NoExecute":
            continue
        if not tolerates(pod["spec"], taint):
            return at
        limits = [t["tolerationSeconds"] for t in tolerations_of(pod["spec"], taint) if _is_limited(t)]
        unlimited = any(not _is_limited(t) for t in tolerations_of(pod["spec"], taint))
        if limits and not unlimited:
            since = parse_time(taint["timeAdded"]).timestamp() if taint.get("timeAdded") else at
            ends.append(since + max(min(limits), 0))
    return min(ends, default=None)


def _is_limited(toleration: dict[str, Any]) -> bool:
    return toleration.get("tolerationSeconds") is not None
