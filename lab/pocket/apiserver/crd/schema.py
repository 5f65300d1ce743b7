"""Structural schemas of custom resources: defaulting, pruning and validation with upstream's messages. Pure.

CEL rules (x-kubernetes-validations) are not evaluated.
"""

import json
from typing import Any

from lab.pocket.apiserver.errors import Cause
from lab.pocket.apiserver.resources.model import Schema as Compiled

from .validation import validate

Object = dict[str, Any]
Schema = dict[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_ROOT_FIELDS = ("apiVersion", "kind", "metadata")


def compile_schema(schema: Schema) -> Compiled:
    """The three operations over one version's openAPIV3Schema."""

    def default_object(obj: Object) -> None:
        default(obj, schema)

    def prune_object(obj: Object) -> list[str]:
        return prune(obj, schema, root=True)

    def validate_object(obj: Object) -> list[Cause]:
        body = {k: v for k, v in obj.items() if k not in _ROOT_FIELDS}
        trimmed = {**schema, "required": [r for r in schema.get("required") or [] if r not in _ROOT_FIELDS]}
        return validate(body, trimmed, "")

    return Compiled(schema, default_object, prune_object, validate_object)


def default(value: Any, schema: Schema) -> None:
    """Fill in defaults, in place; null where a default exists (and null is not allowed) counts as absent."""
    if isinstance(value, dict):
        for name, inner in (schema.get("properties") or {}).items():
            if "default" in inner and (
                name not in value or (value[name] is None and not inner.get("nullable"))
            ):
                value[name] = json.loads(json.dumps(inner["default"]))
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
        if name in known and not (root and name == "metadata"):
            gone += prune(value[name], known[name], at)
        elif (root or schema.get(_EMBEDDED)) and name in _ROOT_FIELDS:
            continue
        elif isinstance(extra, dict):
            gone += prune(value[name], extra, at)
        elif not schema.get(_PRESERVE) and extra is not True:
            gone.append(at)
            del value[name]
    return gone


__all__ = ["compile_schema", "default", "prune"]
