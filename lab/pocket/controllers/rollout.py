"""How a Deployment moves from its old ReplicaSets to the one of its current template.

Pure. `plan` says what to create, scale and delete; the deployment controller does it and comes back
when the counts have changed.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from lab.kube.objects import (
    Object,
    annotations,
    is_deleting,
    labels,
    meta,
    name,
    namespace,
    owner_reference,
    uid,
)

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAXIMUM)


@dataclass(frozen=True)
class Plan:
    """What to write: at most one new ReplicaSet, replica counts by name, ReplicaSets to drop."""

    create: Object | None = None
    scale: Mapping[str, int] = field(default_factory=dict)
    delete: tuple[str, ...] = ()
    annotate: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """ReplicaSet name -> annotations: the Deployment's, and after a rollback the revision it takes over."""


def plan(deployment: Object, replica_sets: Sequence[Object]) -> Plan:
    """The next writes; an empty plan when there is nothing to do until something changes."""
    if is_deleting(deployment):
        return Plan()
    new = current(deployment, replica_sets)
    old = sorted((r for r in replica_sets if r is not new), key=_age)
    if deployment["spec"].get("paused"):
        return _paused(deployment, new, old)
    recreate = (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
    if recreate and any(_wanted(r) or _count(r, "replicas") for r in old):
        return Plan(scale={name(r): 0 for r in old if _wanted(r)})
    if new is None:
        first = _allowed(deployment, old) if not recreate else _wanted(deployment)
        return Plan(create=replica_set(deployment, replica_sets, first))
    annotate = _annotate(deployment, new, replica_sets)
    if recreate:
        scale = {name(new): _wanted(deployment)} if _wanted(new) != _wanted(deployment) else {}
    else:
        scale = _roll(deployment, new, old)
    complete = is_complete(deployment, replica_sets)
    return Plan(scale=scale, annotate=annotate, delete=_history(deployment, old) if complete else ())


def current(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet whose template is the Deployment's."""
    wanted = _template(deployment)
    return next((r for r in sorted(replica_sets, key=_age) if _template(r) == wanted), None)


def replica_set(deployment: Object, others: Sequence[Object], count: int) -> Object:
    """The ReplicaSet for the current template, under its hash."""
    template = deployment["spec"]["template"]
    suffix = template_hash(template, (deployment.get("status") or {}).get("collisionCount") or 0)
    template_labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: suffix}
    selector = deployment["spec"]["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name(deployment)}-{suffix}",
            "namespace": namespace(deployment),
            "labels": template_labels,
            "annotations": {
                **_copied(deployment),
                REVISION: str(max((_revision(r) for r in others), default=0) + 1),
                DESIRED: str(_wanted(deployment)),
                MAXIMUM: str(_wanted(deployment) + surge(deployment)[0]),
            },
            "ownerReferences": [
                owner_reference({"apiVersion": "apps/v1", "kind": "Deployment", **deployment})
            ],
        },
        "spec": {
            "replicas": count,
            "minReadySeconds": deployment["spec"].get("minReadySeconds") or 0,
            "selector": {
                **selector,
                "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: suffix},
            },
            "template": {
                **template,
                "metadata": {**(template.get("metadata") or {}), "labels": template_labels},
            },
        },
    }


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """A short word for a template, of upstream's alphabet and length."""
    text = json.dumps([template, collisions], sort_keys=True, separators=(",", ":"))
    return "".join(ALPHABET[int(digit) % len(ALPHABET)] for digit in str(zlib.crc32(text.encode())))


def surge(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers; never both zero."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, _wanted(deployment)
    rolling = strategy.get("rollingUpdate") or {}
    more = _share(rolling.get("maxSurge", "25%"), _wanted(deployment), up=True)
    fewer = _share(rolling.get("maxUnavailable", "25%"), _wanted(deployment), up=False)
    return more, fewer if more or fewer else 1


def is_complete(deployment: Object, replica_sets: Sequence[Object]) -> bool:
    """All replicas are of the current template and available, and no old pod is left."""
    new = current(deployment, replica_sets)
    wanted = _wanted(deployment)
    return (
        new is not None
        and _wanted(new) == wanted
        and _count(new, "replicas") == wanted
        and _count(new, "availableReplicas") == wanted
        and not any(_count(r, "replicas") or _wanted(r) for r in replica_sets if r is not new)
    )


def _roll(deployment: Object, new: Object, old: Sequence[Object]) -> dict[str, int]:
    """Up with the new as far as maxSurge allows, else down with the old as far as maxUnavailable does."""
    wanted = _wanted(deployment)
    if _wanted(new) > wanted:
        return {name(new): wanted}
    if _wanted(new) < wanted:
        count = min(wanted, _wanted(new) + max(_allowed(deployment, [*old, new]), 0))
        if count != _wanted(new):
            return {name(new): count}
    return _shrink(deployment, new, old)


def _allowed(deployment: Object, existing: Sequence[Object]) -> int:
    """How many more pods may exist."""
    total = sum(_wanted(r) for r in existing)
    return max(min(_wanted(deployment), _wanted(deployment) + surge(deployment)[0] - total), 0)


def _shrink(deployment: Object, new: Object, old: Sequence[Object]) -> dict[str, int]:
    least = _wanted(deployment) - surge(deployment)[1]
    counts = {name(r): _wanted(r) for r in old if _wanted(r)}
    missing_new = _wanted(new) - _count(new, "availableReplicas")
    room = sum(counts.values()) + _wanted(new) - least - missing_new
    for each in old:  # unhealthy old pods serve nobody: they go first
        broken = max(_wanted(each) - _count(each, "availableReplicas"), 0)
        if drop := min(broken, max(room, 0), counts.get(name(each), 0)):
            counts[name(each)] -= drop
            room -= drop
    dropped = {name(r): _wanted(r) - counts.get(name(r), 0) for r in old}
    healthy = {name(r): max(min(counts.get(name(r), 0), _count(r, "availableReplicas")), 0) for r in old}
    spare = min(sum(healthy.values()) + _count(new, "availableReplicas") - least, room)
    for each in old:
        if drop := min(counts.get(name(each), 0), max(spare, 0)):
            counts[name(each)] -= drop
            dropped[name(each)] += drop
            spare -= drop
    return {each: counts[each] for each, drop in dropped.items() if drop and each in counts}


def _paused(deployment: Object, new: Object | None, old: Sequence[Object]) -> Plan:
    """A paused Deployment still scales: its newest ReplicaSet follows the wanted count."""
    active = [r for r in [*old, *([new] if new else [])] if _wanted(r)] or ([new] if new else [])
    if len(active) == 1 and _wanted(active[0]) != _wanted(deployment):
        return Plan(scale={name(active[0]): _wanted(deployment)})
    return Plan()


def _annotate(deployment: Object, new: Object, replica_sets: Sequence[Object]) -> dict[str, dict[str, str]]:
    highest = max((_revision(r) for r in replica_sets if r is not new), default=0)
    wanted = _copied(deployment)
    if _revision(new) <= highest:
        wanted[REVISION] = str(highest + 1)
    changed = {k: v for k, v in wanted.items() if annotations(new).get(k) != v}
    return {name(new): changed} if changed else {}


def _copied(deployment: Object) -> dict[str, str]:
    """The Deployment's annotations that its current ReplicaSet has too, as the cause of a change."""
    return {k: v for k, v in annotations(deployment).items() if k not in NOT_COPIED}


def _history(deployment: Object, old: Sequence[Object]) -> tuple[str, ...]:
    limit = deployment["spec"].get("revisionHistoryLimit")
    idle = sorted((r for r in old if not _wanted(r) and not _count(r, "replicas")), key=_revision)
    surplus = len(idle) - (10 if limit is None else int(limit))
    return tuple(name(r) for r in idle[: max(surplus, 0)] if not is_deleting(r))


def _template(obj: Object) -> dict[str, Any]:
    template = obj["spec"]["template"]
    head = dict(template.get("metadata") or {})
    head["labels"] = {k: v for k, v in (head.get("labels") or {}).items() if k != HASH_LABEL}
    head.pop("creationTimestamp", None)
    return {"metadata": {k: v for k, v in head.items() if v}, "spec": template["spec"]}


def _share(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        exact = int(value[:-1]) * total / 100
        return ceil(exact) if up else int(exact)
    return int(value)


def _wanted(obj: Object) -> int:
    count = obj["spec"].get("replicas")
    return 1 if count is None else int(count)


def _count(obj: Object, field_name: str) -> int:
    return int((obj.get("status") or {}).get(field_name) or 0)


def _revision(obj: Object) -> int:
    return int(annotations(obj).get(REVISION) or 0)


def _age(obj: Object) -> tuple[str, str]:
    return str(meta(obj).get("creationTimestamp") or ""), name(obj)


def owned(deployment: Object, replica_sets: Sequence[Object]) -> list[Object]:
    """ReplicaSets that this Deployment controls."""
    return [
        r
        for r in replica_sets
        if any(
            o.get("uid") == uid(deployment) and o.get("controller")
            for o in meta(r).get("ownerReferences") or ()
        )
    ]


def hash_of(replica_set: Object) -> str:
    return labels(replica_set).get(HASH_LABEL, "")
