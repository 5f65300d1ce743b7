"""managedFields: which manager set which field, kept up to date on every write. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.kube.objects import now
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object

from .fields import Difference, Path, Paths, compare, from_tree, outside, to_tree
from .typing import Typing, typing_of

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call

MOST_UPDATERS = 10
ANCIENT = "ancient-changes"
"""What holds the fields of the oldest updaters once there are more than MOST_UPDATERS."""
_SERVER_METADATA = (
    "name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "managedFields",
    "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
_NOBODYS = {
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{n}") for n in _SERVER_METADATA)
}  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """Who applies is the same manager in every version of the kind; who updates is one for each."""

    name: str
    operation: str = "Update"
    subresource: str = ""
    api_version: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        version = "" if self.operation == "Apply" else self.api_version
        return self.name, self.operation, self.subresource, version


Owners = dict[Manager, Paths]


def manager_of(call: "Call", operation: str = "Update") -> Manager:
    """The field manager of a write: asked for, or the first word of the User-Agent."""
    name = call.query.get("fieldManager") or call.user_agent.partition("/")[0] or "unknown"
    return Manager(name[:128], operation, call.subresource, call.resource.api_version)


def reset_by(resource: Resource, subresource: str) -> tuple[Path, ...]:
    """What a write through this subresource cannot set, and so nobody owns by it."""
    if subresource == "status":
        return (("f:spec",), *((("f:metadata",),) if resource.custom else ()))
    return (("f:status",),) if resource.has("status") and not subresource else ()


def owners(obj: Object, typing: Typing) -> Owners:
    """Who owns what; paths below what has since become one value end at it."""
    return {
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("subresource", ""),
            entry.get("apiVersion", ""),
        ): from_tree(_fitted(entry.get("fieldsV1") or {}, typing))
        for entry in obj["metadata"].get("managedFields") or []
    }


def find(found: Owners, manager: Manager) -> Manager | None:
    """The entry of the same manager, which may have applied in another version."""
    return next((one for one in found if one.identity == manager.identity), None)


def put_owners(obj: Object, found: Owners, old: Object | None) -> None:
    """Write managedFields; an entry that did not change keeps its time."""
    before = {_identity(e): e for e in ((old or {}).get("metadata") or {}).get("managedFields") or []}
    entries = _capped([_entry(manager, paths, before) for manager, paths in found.items() if paths])
    entries.sort(key=lambda e: (e["operation"], str(e.get("time")), e["manager"], e["apiVersion"]))
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _entry(manager: Manager, paths: Paths, before: dict[tuple[str, ...], Object]) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": now(),
        "fieldsType": "FieldsV1",
        "fieldsV1": to_tree(paths),
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    same = before.get(_identity(entry))
    return same if same is not None and same.get("fieldsV1") == entry["fieldsV1"] else entry


def _identity(entry: Object) -> tuple[str, ...]:
    return tuple(str(entry.get(k, "")) for k in ("manager", "operation", "subresource", "apiVersion"))


def _capped(entries: list[Object]) -> list[Object]:
    """At most MOST_UPDATERS updaters: the oldest of one version become one entry."""
    updaters = sorted((e for e in entries if e["operation"] == "Update"), key=lambda e: str(e.get("time")))
    buckets: dict[str, Object] = {}
    surplus = len(updaters) - MOST_UPDATERS
    gone: list[Object] = []
    for entry in updaters:
        if surplus <= 0:
            break
        bucket = buckets.get(entry["apiVersion"])
        if bucket is None:
            buckets[entry["apiVersion"]] = {**entry, "manager": ANCIENT}
            buckets[entry["apiVersion"]].pop("subresource", None)
        else:
            paths = from_tree(bucket["fieldsV1"]) | from_tree(entry["fieldsV1"])
            bucket.update(fieldsV1=to_tree(paths), time=entry["time"])
            surplus -= 1
        gone.append(entry)
    if not gone:
        return entries
    return [e for e in entries if not any(e is one for one in gone)] + list(buckets.values())


def take_over(found: Owners, manager: Manager, change: Difference) -> dict[Manager, Paths]:
    """Take from the others what `change` sets or removes; returns what was taken for being set."""
    taken: dict[Manager, Paths] = {}
    for other, paths in found.items():
        if other.identity == manager.identity:
            continue
        if hit := paths & (change.modified | change.added):
            taken[other] = hit
        found[other] = paths - change.modified - change.added - change.removed
    return taken


def record_update(obj: Object, old: Object | None, manager: Manager, resource: Resource) -> None:
    """managedFields after a create, update or patch by `manager`: it owns what it changed.

    A client that sends managedFields of its own edits them by that; one that sends them empty gives
    ownership up, and then nothing is recorded until somebody applies.
    """
    asked = obj["metadata"].pop("managedFields", None)
    if old is not None and not manager.subresource and asked in ([], [{}]):
        return
    edited = bool(asked) and not manager.subresource and _readable(asked)
    typing = typing_of(resource)
    found = owners({"metadata": {"managedFields": asked}} if edited else old or {"metadata": {}}, typing)
    if old is not None and not found:
        return
    resets = reset_by(resource, manager.subresource)
    change = compare({} if old is None else old, obj, typing).without(resets)
    mine = find(found, manager) or manager
    own = (found.get(mine, set()) - change.removed) | change.added | change.modified
    take_over(found, manager, change)
    found.pop(mine, None)
    found[manager] = outside(own, resets) - _NOBODYS
    put_owners(obj, found, {"metadata": {"managedFields": asked}} if edited else old)


def _readable(asked: Any) -> bool:
    return isinstance(asked, list) and all(
        isinstance(e, dict)
        and e.get("operation") in ("Apply", "Update")
        and e.get("fieldsType") == "FieldsV1"
        and isinstance(e.get("fieldsV1"), dict)
        for e in asked
    )


def _fitted(tree: Object, typing: Typing) -> Object:
    found: Object = {}
    for step, below in tree.items():
        if step.startswith("f:"):
            inner = typing.field(step[2:])
            found[step] = _fitted(below, inner) if below and not inner.is_atomic else {}
        elif step == "." or typing.keys or typing.is_set:
            found[step] = _fitted(below, typing.item()) if below else {}
        else:
            return {}  # items of what is no longer a list of items
    return found


def before_first_apply(obj: Object, resource: Resource) -> Owners:
    """Who has owned an object that nobody's ownership was recorded of."""
    typing = typing_of(resource)
    paths = compare({}, obj, typing).added - _NOBODYS
    return {Manager("before-first-apply", "Update", "", resource.api_version): paths}


def without_server_fields(paths: Paths) -> Paths:
    return paths - _NOBODYS
