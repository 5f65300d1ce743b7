"""What a namespace in deletion still holds, as its conditions tell it. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lab.kube.kinds import Kind
from lab.kube.objects import Object, condition, meta, now

DONE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": (
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}


def conditions(space: Object, left: Mapping[Kind, list[Object]]) -> list[dict[str, Any]]:
    """All five conditions; `left` is what is still there, by kind."""
    bad = {}
    counts = {f"{kind.plural}.{kind.group}": len(found) for kind, found in left.items() if found}
    if counts:
        listed = ", ".join(f"{what} has {n} resource instances" for what, n in sorted(counts.items()))
        bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {listed}")
    holders = Counter(
        f for found in left.values() for obj in found for f in meta(obj).get("finalizers") or ()
    )
    if holders:
        listed = ", ".join(f"{what} in {n} resource instances" for what, n in sorted(holders.items()))
        told = f"Some content in the namespace has finalizers remaining: {listed}"
        bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", told)
    return [
        _condition(space, kind, "True" if kind in bad else "False", *bad.get(kind, good))
        for kind, good in DONE.items()
    ]


def _condition(space: Object, kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    seen = condition(space, kind) or {}
    since = seen.get("lastTransitionTime") if seen.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since or now(),
    }
