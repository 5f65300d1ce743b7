"""How the values of an object may be merged: which lists have keys, which maps are one value. Pure.

Server-side apply and managedFields walk objects with a `Typing` in hand: built-in kinds follow
patching/keys.py, custom ones the list and map types of their schema.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from .keys import ATOMIC, rule_for

ATOMIC_LIST = "atomic"
SET = "set"
MAP = "map"


@dataclass(frozen=True)
class ListType:
    kind: str = ATOMIC_LIST
    keys: tuple[str, ...] = ()


class Typing(Protocol):
    def field(self, name: str) -> "Typing": ...
    def item(self) -> "Typing": ...
    def list_type(self) -> ListType: ...
    def is_atomic(self) -> bool: ...
    def key_default(self, key: str) -> Any: ...


@dataclass(frozen=True)
class BuiltinTyping:
    parent: str = ""
    name: str = ""

    def field(self, name: str) -> "BuiltinTyping":
        return _builtin(self.name, name)

    def item(self) -> "BuiltinTyping":
        return self

    def list_type(self) -> ListType:
        rule = rule_for(self.parent, self.name)
        if rule is None:
            return ListType()
        return ListType(MAP, rule.keys) if rule.keys else ListType(SET)

    def is_atomic(self) -> bool:
        return self.name in ATOMIC

    def key_default(self, key: str) -> Any:
        return "TCP" if key == "protocol" else None


@lru_cache(maxsize=4096)
def _builtin(parent: str, name: str) -> BuiltinTyping:
    """Shared: every write walks all of its object."""
    return BuiltinTyping(parent, name)


@dataclass(frozen=True)
class SchemaTyping:
    schema: dict[str, Any]
    root: bool = False

    def field(self, name: str) -> Typing:
        if self.root and name == "metadata":
            return BuiltinTyping("", "metadata")
        found = (self.schema.get("properties") or {}).get(name)
        if found is None:
            extra = self.schema.get("additionalProperties")
            found = extra if isinstance(extra, dict) else {}
        return SchemaTyping(found)

    def item(self) -> "SchemaTyping":
        items = self.schema.get("items")
        return SchemaTyping(items if isinstance(items, dict) else {})

    def list_type(self) -> ListType:
        kind = self.schema.get("x-kubernetes-list-type", ATOMIC_LIST)
        return ListType(kind, tuple(self.schema.get("x-kubernetes-list-map-keys") or ()))

    def is_atomic(self) -> bool:
        return self.schema.get("x-kubernetes-map-type") == "atomic"

    def key_default(self, key: str) -> Any:
        properties = (self.schema.get("items") or {}).get("properties") or {}
        return (properties.get(key) or {}).get("default")
