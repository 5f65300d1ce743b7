"""managedFields: who set which field; kept for every write, as server-side apply needs."""

from dataclasses import dataclass

from ..context import Call
from ..resources.model import Resource
from ..storage.record import Object


@dataclass(frozen=True)
class Manager:
    name: str
    subresource: str = ""


def manager_of(call: Call) -> Manager:
    """The field manager of a write: asked for, or the first word of the User-Agent."""
    name = call.query.get("fieldManager") or call.user_agent.partition("/")[0] or "unknown"
    return Manager(name[:128], call.subresource)


def record_update(obj: Object, old: Object | None, manager: Manager, resource: Resource) -> None:
    """Fill in managedFields after a create or update (not apply)."""
    obj["metadata"].pop("managedFields", None)
