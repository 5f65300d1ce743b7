"""How a change of `replicas` is shared out while several ReplicaSets of a Deployment have pods. Pure.

As upstream: in proportion to their size, so that scaling in the middle of a rollout does not add risk.
"""

from collections.abc import Sequence

from lab.kube.objects import Object, annotations, name
from lab.pocket.controllers.sizes import DESIRED, MAXIMUM, age, count, surge, wanted


def is_scaled(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    """`replicas` changed since its ReplicaSets were last scaled."""
    told = (annotations(r).get(DESIRED) for r in replica_sets if wanted(r))
    return any(each not in (None, str(wanted(deployment))) for each in told)


def scaled(deployment: Object, new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    """ReplicaSet name -> its count; also those that only have to be told the new total."""
    everyone = [*old, *([new] if new else [])]
    active = [r for r in everyone if wanted(r)] or ([new] if new else list(old[-1:]))
    if not active:
        return {}
    if len(active) == 1:
        return _changes(deployment, {name(active[0]): wanted(deployment)}, active)
    if new is not None and _is_saturated(deployment, new):
        return _changes(deployment, {name(r): 0 for r in active if r is not new}, active)
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return {}
    return _changes(deployment, _shares(deployment, active), active)


def _shares(deployment: Object, active: list[Object]) -> dict[str, int]:
    total = wanted(deployment) + surge(deployment)[0] if wanted(deployment) else 0
    add = total - sum(wanted(r) for r in active)
    ranked = sorted(active, key=age, reverse=add > 0)
    ranked.sort(key=wanted, reverse=True)
    counts, left = {}, add
    for each in ranked:
        fair = _fraction(deployment, each)
        step = min(fair, left) if add > 0 else max(fair, left) if add < 0 else 0
        counts[name(each)], left = wanted(each) + step, left - step
    counts[name(ranked[0])] = max(counts[name(ranked[0])] + left, 0)
    return counts


def _fraction(deployment: Object, replica_set: Object) -> int:
    """How much the ReplicaSet would grow if it kept its share of all pods."""
    if not wanted(deployment):
        return -wanted(replica_set)
    before = int(annotations(replica_set).get(MAXIMUM) or 0) or count(deployment, "replicas")
    if not before:
        return 0
    now = wanted(deployment) + surge(deployment)[0]
    return round(wanted(replica_set) * now / before) - wanted(replica_set)


def _is_saturated(deployment: Object, new: Object) -> bool:
    return annotations(new).get(DESIRED) == str(wanted(deployment)) and wanted(new) == wanted(
        deployment
    ) == count(new, "availableReplicas")


def _changes(deployment: Object, counts: dict[str, int], active: list[Object]) -> dict[str, int]:
    told = (None, str(wanted(deployment)))
    return {
        name(r): counts.get(name(r), wanted(r))
        for r in active
        if counts.get(name(r), wanted(r)) != wanted(r) or annotations(r).get(DESIRED) not in told
    }
