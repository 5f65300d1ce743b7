"""Server-side apply: what the object becomes, who owns it, and who disagrees. Pure."""

import json
from dataclasses import dataclass

from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object

from .fields import SELF, Leaves, Path, leaves, merge, remove
from .managed import Manager, Owners, owners, put_owners, typing_of
from .typing import Typing


@dataclass(frozen=True)
class Conflict:
    manager: Manager
    path: Path

    def text(self) -> str:
        """The path as people write it: .spec.replicas, .spec.containers[name="a"].image."""
        shown = ""
        for element in self.path:
            if element.startswith("f:"):
                shown += f".{element[2:]}"
            elif element.startswith("k:"):
                keys = json.loads(element[2:])
                shown += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in keys.items()) + "]"
            elif element.startswith("v:"):
                shown += f"[={element[2:]}]"
        return shown


@dataclass(frozen=True)
class Applied:
    obj: Object
    conflicts: tuple[Conflict, ...]


def apply_config(
    live: Object, config: Object, manager: Manager, resource: Resource, *, force: bool
) -> Applied:
    """`live` after `manager` applied `config`; with conflicts (and no force) the object is not to be used."""
    typing = typing_of(resource)
    wanted = leaves(config, typing)
    current = leaves(live, typing)
    found = owners(live)
    conflicts = tuple(_conflicts(found, manager, wanted, current))
    if conflicts and not force:
        return Applied(live, conflicts)
    for conflict in conflicts:
        found[conflict.manager].discard(conflict.path)
    dropped = found.get(manager, set()) - wanted.keys()
    found[manager] = set(wanted)
    result = _without(live, dropped, found, typing)
    result = merge(result, config, typing)
    put_owners(result, found, live)
    return Applied(result, ())


def _conflicts(found: Owners, manager: Manager, wanted: Leaves, current: Leaves) -> list[Conflict]:
    return [
        Conflict(other, path)
        for other, paths in found.items()
        if other != manager
        for path in sorted(paths & wanted.keys())
        if path[-1] != SELF and path in current and current[path] != wanted[path]
    ]


def _without(live: Object, dropped: set[Path], found: Owners, typing: Typing) -> Object:
    """`live` without what its applier no longer wants and nobody else owns."""
    held = {path for paths in found.values() for path in paths}
    items = {path[:-1] for path in dropped if path[-1] == SELF and path not in held}
    whole = {item for item in items if not any(path[: len(item)] == item for path in held)}
    result = live
    for path in sorted(dropped - held, key=len):
        inside = any(path[:length] in whole for length in range(1, len(path)))
        if path[-1] == SELF:
            if path[:-1] in whole:
                result = remove(result, path, typing)
        elif not inside and not _is_key(path):
            result = remove(result, path, typing)
    return {**result, "metadata": dict(result["metadata"])}


def _is_key(path: Path) -> bool:
    """A field that tells its list item apart goes only with the item."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])
