"""Server-side apply: what the object becomes, who owns it, and who disagrees. Pure.

The steps are those of upstream's structured-merge-diff: lay the configuration over the object, take out what
the manager applied before and no longer does, then compare with the object to see whose fields change.
"""

import json
from dataclasses import dataclass

from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object

from .combine import check_typed, merge, remove, shown
from .fields import Path, Paths, compare, field_set, outside, with_parents
from .managed import (
    Manager,
    Owners,
    before_first_apply,
    find,
    owners,
    put_owners,
    reset_by,
    take_over,
    without_server_fields,
)
from .typing import Typing, typing_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Conflict:
    manager: Manager
    path: Path

    def text(self) -> str:
        """The path as people write it: .spec.replicas, .spec.containers[name="a"].image."""
        return "".join(shown(step) for step in self.path)


@dataclass(frozen=True)
class Applied:
    obj: Object
    conflicts: tuple[Conflict, ...]


def first_owners(config: Object, manager: Manager, resource: Resource) -> list[Object]:
    """The managedFields of an object that `manager` creates by applying `config`. Raises Untypable."""
    holder: Object = {"metadata": {}}
    paths = without_server_fields(_applied_set(config, manager, resource))
    put_owners(holder, {manager: paths}, None)
    found: list[Object] = holder["metadata"].get("managedFields", [])
    return found


def apply_config(
    live: Object, config: Object, manager: Manager, resource: Resource, *, force: bool
) -> Applied:
    """`live` after `manager` applied `config`; with conflicts (and no force) the object is not to be used.

    Raises Untypable for a configuration whose lists cannot be told apart.
    """
    applied = _applied(live, config, manager, resource, force=force)
    if applied.conflicts and not force and manager.name == "kubectl":
        left = _not_from_client_side(applied.conflicts, live, typing_of(resource))
        if left:
            return Applied(live, left)
        applied = _applied(live, config, manager, resource, force=True)
    if not applied.conflicts or force:
        _sync_last_applied(applied.obj, config, manager)
    return applied


def _applied_set(config: Object, manager: Manager, resource: Resource) -> Paths:
    typing = typing_of(resource)
    check_typed(config, typing)
    return outside(field_set(config, typing), reset_by(resource, manager.subresource))


def _applied(live: Object, config: Object, manager: Manager, resource: Resource, *, force: bool) -> Applied:
    typing, resets = typing_of(resource), reset_by(resource, manager.subresource)
    wanted = _applied_set(config, manager, resource)
    found = owners(live, typing) or before_first_apply(live, resource)
    last = found.pop(mine, set()) if (mine := find(found, manager)) else set()
    found[manager] = wanted
    result = _prune(merge(live, config, typing), found, last, typing)
    change = compare(live, result, typing).without(resets)
    taken = take_over(found, manager, change)
    conflicts = tuple(Conflict(other, path) for other, paths in taken.items() for path in sorted(paths))
    if conflicts and not force:
        return Applied(live, conflicts)
    found[manager] = without_server_fields(found[manager])
    result = {**result, "metadata": dict(result["metadata"])}
    put_owners(result, found, live)
    return Applied(result, ())


def _prune(merged: Object, found: Owners, last: Paths, typing: Typing) -> Object:
    """`merged` without what its applier had and no longer wants, unless anybody else owns it."""
    if not last:
        return merged
    before = with_parents(last, typing)
    pruned = remove(merged, before, typing)
    held = with_parents({path for paths in found.values() for path in paths}, typing)
    everything = with_parents(field_set(merged, typing), typing)
    gone = everything - with_parents(field_set(pruned, typing), typing) - held
    pruned = remove(merged, gone, typing)
    dropped = everything - with_parents(field_set(pruned, typing), typing)
    return remove(merged, dropped & before, typing)


def _not_from_client_side(
    conflicts: tuple[Conflict, ...], live: Object, typing: Typing
) -> tuple[Conflict, ...]:
    """The conflicts over fields that kubectl's client-side apply did not set to what they are."""
    try:
        last = json.loads((live["metadata"].get("annotations") or {})[LAST_APPLIED])
        change = compare(last, live, typing)
        allowed = field_set(last, typing) - change.modified - change.added - change.removed
    except (KeyError, ValueError, AttributeError, TypeError):
        return conflicts
    return tuple(conflict for conflict in conflicts if conflict.path not in allowed)


def _sync_last_applied(obj: Object, config: Object, manager: Manager) -> None:
    """Who goes back to client-side apply finds there what kubectl applied last."""
    annotations = obj["metadata"].get("annotations") or {}
    if manager.name != "kubectl" or not annotations.get(LAST_APPLIED):
        return
    meta = dict(config["metadata"])
    own = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k != LAST_APPLIED}
    text = json.dumps({**config, "metadata": {**meta, **({"annotations": own} if own else {})}})
    obj["metadata"]["annotations"] = {**annotations, LAST_APPLIED: text + "\n"}
