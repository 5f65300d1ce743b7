"""HorizontalPodAutoscalers have two served shapes and one stored: autoscaling/v2's. Pure.

What v1 has no words for travels in annotations, as upstream: metrics other than CPU, behaviour, conditions.
"""

import json
from typing import Any

Object = dict[str, Any]

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_KEPT = {  # annotation -> where v2 has it
    "behavior": ("spec", "behavior"),
    "current-metrics": ("status", "currentMetrics"),
    "conditions": ("status", "conditions"),
}
_OTHERS = f"{_PREFIX}metrics"


def _cpu(metric: Object) -> int | None:
    resource = metric.get("resource") or {}
    target = resource.get("target") or {}
    return target.get("averageUtilization") if resource.get("name") == "cpu" else None


def to_v1(stored: Object) -> Object:
    spec, status = dict(stored.get("spec") or {}), dict(stored.get("status") or {})
    parts = {"spec": spec, "status": status}
    notes = {}
    for name, (part, field) in _KEPT.items():
        if value := parts[part].pop(field, None):
            notes[_PREFIX + name] = json.dumps(value)
    metrics = spec.pop("metrics", None) or []
    for share in filter(None, map(_cpu, metrics)):
        spec["targetCPUUtilizationPercentage"] = share
    if others := [metric for metric in metrics if _cpu(metric) is None]:
        notes[_OTHERS] = json.dumps(others)
    meta = dict(stored["metadata"])
    if notes:
        meta["annotations"] = {**(meta.get("annotations") or {}), **notes}
    return {**stored, "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def to_v2(served: Object) -> Object:
    spec, status = dict(served.get("spec") or {}), dict(served.get("status") or {})
    parts = {"spec": spec, "status": status}
    meta = dict(served["metadata"])
    notes = dict(meta.get("annotations") or {})
    for name, (part, field) in _KEPT.items():
        if text := notes.pop(_PREFIX + name, ""):
            parts[part][field] = _parsed(text)
    metrics = _parsed(notes.pop(_OTHERS, "[]")) or []
    if (share := spec.pop("targetCPUUtilizationPercentage", None)) or not metrics:
        target = {"type": "Utilization", "averageUtilization": share or 80}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if notes:
        meta["annotations"] = notes
    else:
        meta.pop("annotations", None)
    spec["metrics"] = metrics
    return {**served, "apiVersion": "autoscaling/v2", "metadata": meta, "spec": spec, "status": status}


def _parsed(text: str) -> Any:
    """What an annotation of ours says; a text of someone else's making counts as nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return None
