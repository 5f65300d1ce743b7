"""How the values of an object may be merged: which lists have keys, which maps are one value. Pure.

Server-side apply and managedFields walk objects with a `Typing` in hand: built-in kinds follow upstream's
types, custom ones the list and map types of their schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from lab.pocket.apiserver.resources.model import Resource

from . import upstream


class Typing(Protocol):
    def field(self, name: str) -> "Typing": ...
    def item(self) -> "Typing": ...
    def has_field(self, name: str) -> bool:
        """A struct's field, as against a key of a map."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that tell the items of this list apart."""

    @property
    def is_set(self) -> bool: ...
    @property
    def is_atomic(self) -> bool:
        """This map has one owner as a whole; lists do unless they have keys or are sets."""

    @property
    def always(self) -> bool:
        """An object that is there even when nothing is in it."""

    def key_default(self, key: str) -> Any:
        """The value of a key that an item of this list leaves out."""


class BuiltinTyping:
    """Made once for each field of the types, as every write asks for hundreds."""

    __slots__ = ("_shape", "always", "is_atomic", "is_set", "keys")

    def __init__(self, rules: upstream.Field) -> None:
        self._shape = rules.shape
        self.keys = rules.keys
        self.is_set = rules.is_set
        self.is_atomic = rules.atomic or upstream.field(rules.shape, "").atomic
        self.always = rules.always

    def field(self, name: str) -> "BuiltinTyping":
        if self._shape.startswith("{}"):
            return _typing(self._shape[2:])
        return _typing(upstream.types().get(self._shape, _NONE).get(name, "-"))

    def item(self) -> "BuiltinTyping":
        return _typing(self._shape[2:] if self._shape.startswith("[]") else "-")

    def has_field(self, name: str) -> bool:
        return self._shape in upstream.types()

    def key_default(self, key: str) -> Any:
        return upstream.key_default(self._shape[2:], key)


_NONE: Mapping[str, str] = {}


@lru_cache(maxsize=4096)
def _typing(text: str) -> BuiltinTyping:
    return BuiltinTyping(upstream.parse(text))


_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_X = "x-kubernetes-"


@dataclass(frozen=True)
class SchemaTyping:
    schema: dict[str, Any]
    root: bool = False

    def field(self, name: str) -> Typing:
        if name == "metadata" and (self.root or self.schema.get(_X + "embedded-resource")):
            return _typing(_METADATA)
        found = (self.schema.get("properties") or {}).get(name)
        if found is None:
            extra = self.schema.get("additionalProperties")
            found = extra if isinstance(extra, dict) else {}
        return SchemaTyping(found)

    def item(self) -> "SchemaTyping":
        items = self.schema.get("items")
        return SchemaTyping(items if isinstance(items, dict) else {})

    def has_field(self, name: str) -> bool:
        known = name in (self.schema.get("properties") or {})
        return known or (self.root and name in ("apiVersion", "kind", "metadata"))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.schema.get(_X + "list-map-keys") or ())

    @property
    def is_set(self) -> bool:
        return bool(self.schema.get(_X + "list-type") == "set")

    @property
    def is_atomic(self) -> bool:
        return bool(self.schema.get(_X + "map-type") == "atomic")

    @property
    def always(self) -> bool:
        return False

    def key_default(self, key: str) -> Any:
        properties = (self.schema.get("items") or {}).get("properties") or {}
        return (properties.get(key) or {}).get("default")


def typing_of(resource: Resource) -> Typing:
    if resource.schema is not None:
        return SchemaTyping(resource.schema.raw, root=True)
    return _typing(upstream.type_of(resource.group, resource.version, resource.kind))
