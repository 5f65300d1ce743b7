"""A pod's quality-of-service class.

Pure. Nothing here limits anything: the class is shown in the status as upstream shows it.
"""

from typing import Any

from lab.kube.objects import Object
from lab.kube.quantity import quantity


def qos_class(pod: Object) -> str:
    """Guaranteed when all limits equal requests, BestEffort when none are set, else Burstable."""
    containers = [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]
    resources = [c.get("resources") or {} for c in containers]
    if not any((r.get("requests") or {}) or (r.get("limits") or {}) for r in resources):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(r) for r in resources) else "Burstable"


def _guaranteed(resources: dict[str, Any]) -> bool:
    limits = resources.get("limits") or {}
    requests = {**limits, **(resources.get("requests") or {})}
    return all(
        name in limits and quantity(limits[name]) == quantity(requests[name]) for name in ("cpu", "memory")
    )
