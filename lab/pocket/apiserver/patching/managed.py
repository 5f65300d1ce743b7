"""managedFields: which manager set which field, kept up to date on every write. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.kube.objects import now
from lab.pocket.apiserver.resources.model import Resource
from lab.pocket.apiserver.storage.record import Object

from .fields import SELF, Path, from_tree, leaves, to_tree
from .typing import BuiltinTyping, SchemaTyping, Typing

if TYPE_CHECKING:
    from lab.pocket.apiserver.context import Call


@dataclass(frozen=True)
class Manager:
    name: str
    operation: str = "Update"
    subresource: str = ""
    api_version: str = ""


Owners = dict[Manager, set[Path]]


def typing_of(resource: Resource) -> Typing:
    if resource.schema is not None:
        return SchemaTyping(resource.schema.raw, root=True)
    return BuiltinTyping()


def manager_of(call: "Call", operation: str = "Update") -> Manager:
    """The field manager of a write: asked for, or the first word of the User-Agent."""
    name = call.query.get("fieldManager") or call.user_agent.partition("/")[0] or "unknown"
    return Manager(name[:128], operation, call.subresource, call.resource.api_version)


def owners(obj: Object) -> Owners:
    return {
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("subresource", ""),
            entry.get("apiVersion", ""),
        ): from_tree(entry.get("fieldsV1") or {})
        for entry in obj["metadata"].get("managedFields") or []
    }


def put_owners(obj: Object, found: Owners, old: Object | None) -> None:
    """Write managedFields; an entry that did not change keeps its time."""
    before = {_identity(e): e for e in ((old or {}).get("metadata") or {}).get("managedFields") or []}
    entries = []
    for manager, paths in found.items():
        if not paths:
            continue
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
        if same is not None and same.get("fieldsV1") == entry["fieldsV1"]:
            entry = same
        entries.append(entry)
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _identity(entry: Object) -> tuple[str, ...]:
    return tuple(str(entry.get(k, "")) for k in ("manager", "operation", "subresource", "apiVersion"))


def record_update(obj: Object, old: Object | None, manager: Manager, resource: Resource) -> None:
    """managedFields after a create, update or patch by `manager`: it owns what it changed."""
    asked = obj["metadata"].pop("managedFields", None)
    if old is not None and asked in ([], [{}]):
        return  # clearing is how a client resets ownership
    typing = typing_of(resource)
    new = leaves(obj, typing)
    before = leaves(old, typing) if old is not None else {}
    changed = {p for p, value in new.items() if p not in before or before[p] != value}
    gone = before.keys() - new.keys()
    found = owners(old) if old is not None else {}
    for other, paths in found.items():
        paths -= gone
        if other != manager:
            paths -= {p for p in changed if p[-1] != SELF}
    if changed:
        found.setdefault(manager, set()).update(changed)
    put_owners(obj, found, old)
