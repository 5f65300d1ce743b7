"""A pod's quality-of-service class, and reading of resource quantities.

Pure. Nothing here limits anything: the class is shown in the status as upstream shows it.
"""

from decimal import Decimal
from typing import Any

from lab.kube.objects import Object

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15, "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip


def quantity(text: str | int | float) -> Decimal:
    """`100m`, `1.5Gi`, `2e3` or a number as a decimal."""
    value = str(text).strip()
    number = value.rstrip("numkKMGTPEi")
    return Decimal(number) * _SUFFIXES[value[len(number) :]]


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
