"""How a Deployment moves from its old ReplicaSets to the one of its current template.

Pure. `plan` says what to create, scale and delete; the deployment controller does it and comes back
when the counts have changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.kube.objects import Object, is_deleting, name
from lab.pocket.controllers.claims import is_controlled_by
from lab.pocket.controllers.podstate import is_finished
from lab.pocket.controllers.proportions import is_scaled, scaled
from lab.pocket.controllers.sizes import age, count, is_recreated, revision, surge, wanted
from lab.pocket.controllers.templating import current, replica_set, revised


@dataclass(frozen=True)
class Plan:
    """What to write: at most one new ReplicaSet, replica counts by name, ReplicaSets to drop."""

    create: Object | None = None
    scale: Mapping[str, int] = field(default_factory=dict)
    delete: tuple[str, ...] = ()
    revise: Mapping[str, Any] = field(default_factory=dict)
    """ReplicaSet name -> merge patch that makes it the newest revision (after a rollback, or new notes)."""


def plan(deployment: Object, replica_sets: Sequence[Object], pods: Sequence[Object] = ()) -> Plan:
    """The next writes; an empty plan when there is nothing to do until something changes.

    `pods` are those of the namespace: Recreate waits for the end of the old ones.
    """
    if is_deleting(deployment):
        return Plan()
    new = current(deployment, replica_sets)
    old = sorted((r for r in replica_sets if r is not new), key=age)
    revise = _revise(deployment, new, replica_sets)
    if deployment["spec"].get("paused") or is_scaled(deployment, replica_sets):
        return Plan(scale=scaled(deployment, new, old), revise=revise)
    if is_recreated(deployment):
        if any(wanted(r) or count(r, "replicas") for r in old):
            return Plan(scale={name(r): 0 for r in old if wanted(r)}, revise=revise)
        if any(is_controlled_by(pod, r) and not is_finished(pod) for pod in pods for r in old):
            return Plan(revise=revise)
    if new is None:
        first = wanted(deployment) if is_recreated(deployment) else _allowed(deployment, old)
        return Plan(create=replica_set(deployment, replica_sets, first))
    if is_recreated(deployment):
        scale = {name(new): wanted(deployment)} if wanted(new) != wanted(deployment) else {}
    else:
        scale = _roll(deployment, new, old)
    complete = is_complete(deployment, replica_sets)
    return Plan(scale=scale, revise=revise, delete=_history(deployment, old) if complete else ())


def is_complete(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    """All replicas are of the current template and available, and no old pod is left."""
    new = current(deployment, replica_sets)
    total = wanted(deployment)
    return (
        new is not None
        and wanted(new) == total
        and count(new, "replicas") == total
        and count(new, "availableReplicas") == total
        and not any(count(r, "replicas") or wanted(r) for r in replica_sets if r is not new)
    )


def _roll(deployment: Object, new: Object, old: Sequence[Object]) -> dict[str, int]:
    """Up with the new as far as maxSurge allows, else down with the old as far as maxUnavailable does."""
    total = wanted(deployment)
    if wanted(new) > total:
        return {name(new): total}
    if wanted(new) < total:
        up = min(total, wanted(new) + max(_allowed(deployment, [*old, new]), 0))
        if up != wanted(new):
            return {name(new): up}
    return _shrink(deployment, new, old)


def _allowed(deployment: Object, existing: Sequence[Object]) -> int:
    """How many more pods may exist."""
    total = sum(wanted(r) for r in existing)
    return max(min(wanted(deployment), wanted(deployment) + surge(deployment)[0] - total), 0)


def _shrink(deployment: Object, new: Object, old: Sequence[Object]) -> dict[str, int]:
    least = wanted(deployment) - surge(deployment)[1]
    counts = {name(r): wanted(r) for r in old if wanted(r)}
    missing_new = wanted(new) - count(new, "availableReplicas")
    room = sum(counts.values()) + wanted(new) - least - missing_new
    for each in old:  # unhealthy old pods serve nobody: they go first
        broken = max(wanted(each) - count(each, "availableReplicas"), 0)
        if drop := min(broken, max(room, 0), counts.get(name(each), 0)):
            counts[name(each)] -= drop
            room -= drop
    dropped = {name(r): wanted(r) - counts.get(name(r), 0) for r in old}
    healthy = {name(r): max(min(counts.get(name(r), 0), count(r, "availableReplicas")), 0) for r in old}
    spare = min(sum(healthy.values()) + count(new, "availableReplicas") - least, room)
    for each in old:
        if drop := min(counts.get(name(each), 0), max(spare, 0)):
            counts[name(each)] -= drop
            dropped[name(each)] += drop
            spare -= drop
    return {each: counts[each] for each, drop in dropped.items() if drop and each in counts}


def _history(deployment: Object, old: Sequence[Object]) -> tuple[str, ...]:
    limit = deployment["spec"].get("revisionHistoryLimit")
    idle = sorted((r for r in old if not wanted(r) and not count(r, "replicas")), key=revision)
    surplus = len(idle) - (10 if limit is None else int(limit))
    return tuple(name(r) for r in idle[: max(surplus, 0)] if not is_deleting(r))


def _revise(deployment: Object, new: Object | None, replica_sets: Sequence[Object]) -> dict[str, Any]:
    patch = revised(deployment, new, replica_sets) if new is not None else {}
    return {name(new): patch} if new is not None and patch else {}
