"""Structural schemas of custom resources: defaulting, pruning, validation and rules. Pure."""

import copy
from functools import cached_property
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value, required
from lab.pocket.apiserver.resources.model import Schema as Compiled

from .correlate import ABSENT
from .rules import Node, check, compile_rules
from .validation import validate

Object = dict[str, Any]
Schema = dict[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_ROOT_FIELDS = ("apiVersion", "kind", "metadata")
_SEEN_METADATA = ("name", "generateName")
"""All of an object's metadata that its schema may speak about; the rest is checked for every kind alike."""
_BLOCKING = ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
             "FieldValueTypeInvalid")  # fmt: skip
_UNCHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


class StructuralSchema:
    """What one version's openAPIV3Schema does to its objects."""

    def __init__(self, raw: Schema) -> None:
        self.raw = raw

    def default(self, obj: Object) -> None:
        """Fill in what is missing, in place."""
        default(obj, self.raw)

    def prune(self, obj: Object) -> list[str]:
        """Remove unknown fields, in place; returns their paths."""
        return prune(obj, self.raw, root=True)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        """Rules are only run on objects of the right shape, as upstream."""
        new, before = _visible(obj), ABSENT if old is None else _visible(old)
        causes = [*validate(new, self.raw, "", before), *_embedded(obj, self.raw, "")]
        if self._rules is None:
            return causes
        if any(cause.reason in _BLOCKING for cause in causes):
            return [*causes, Cause("<nil>", _UNCHECKED)]
        return [*causes, *check(self._rules, new, "", before)]

    @cached_property
    def _rules(self) -> Node | None:
        """Compiled with the first write, so that a server that only reads such objects stays small."""
        return compile_rules(self.raw)


def _visible(obj: Object) -> Object:
    meta = {name: value for name, value in obj["metadata"].items() if name in _SEEN_METADATA}
    return {**obj, "metadata": meta}


def default(value: Any, schema: Schema) -> None:
    """Fill in defaults, in place; null where a default exists (and null is not allowed) counts as absent."""
    if isinstance(value, dict):
        for name, inner in (schema.get("properties") or {}).items():
            if "default" in inner and (
                name not in value or (value[name] is None and not inner.get("nullable"))
            ):
                value[name] = copy.deepcopy(inner["default"])
            if name in value:
                default(value[name], inner)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for name, inner_value in value.items():
                if name not in (schema.get("properties") or {}):
                    default(inner_value, extra)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            default(item, schema["items"])


def prune(value: Any, schema: Schema, path: str = "", *, root: bool = False) -> list[str]:
    """Remove unknown fields, in place; returns their paths."""
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return []
        return [p for i, item in enumerate(value) for p in prune(item, items, f"{path}[{i}]")]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    gone: list[str] = []
    for name in list(value):
        at = f"{path}.{name}" if path else name
        if (root or schema.get(_EMBEDDED)) and name in _ROOT_FIELDS:
            continue
        if name in known:
            gone += prune(value[name], known[name], at)
        elif isinstance(extra, dict):
            gone += prune(value[name], extra, at)
        elif not schema.get(_PRESERVE) and extra is not True:
            gone.append(at)
            del value[name]
    return gone


def _embedded(value: Any, schema: Schema, path: str) -> list[Cause]:
    """What embedded resources lack to be objects of their own."""
    causes: list[Cause] = []
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            causes += _embedded(item, schema["items"], f"{path}[{index}]")
    if not isinstance(value, dict):
        return causes
    if schema.get(_EMBEDDED):
        for name in ("apiVersion", "kind"):
            if name not in value:
                causes.append(required(f"{path}.{name}"))
            elif value[name] == "":
                causes.append(invalid_value(f"{path}.{name}", "", "must not be empty"))
        if not isinstance(value.get("metadata", {}), dict):
            causes.append(invalid_value(f"{path}.metadata", value["metadata"], "must be an object"))
    known, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, inner in value.items():
        shape = known.get(name, extra)
        if isinstance(shape, dict):
            causes += _embedded(inner, shape, f"{path}.{name}" if path else name)
    return causes


def compile_schema(raw: Schema) -> Compiled:
    """The operations of one version's openAPIV3Schema, as rows of the resource table have them."""
    found = StructuralSchema(raw)
    return Compiled(raw, found.default, found.prune, found.validate)
