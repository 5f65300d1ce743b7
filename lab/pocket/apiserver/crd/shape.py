"""Whether an openAPIV3Schema is made of the JSON types that its words take; what else checks it relies on it.

Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value

_TEXT, _NUMBER, _LIST, _MAP, _FLAG = "string", "number", "array", "object", "boolean"
_WORDS = {
    "additionalProperties": (_MAP, _FLAG), "allOf": (_LIST,), "anyOf": (_LIST,), "description": (_TEXT,),
    "enum": (_LIST,), "exclusiveMaximum": (_FLAG,), "exclusiveMinimum": (_FLAG,), "format": (_TEXT,),
    "items": (_MAP, _LIST), "maxItems": (_NUMBER,), "maxLength": (_NUMBER,), "maxProperties": (_NUMBER,),
    "maximum": (_NUMBER,), "minItems": (_NUMBER,), "minLength": (_NUMBER,), "minProperties": (_NUMBER,),
    "minimum": (_NUMBER,), "multipleOf": (_NUMBER,), "not": (_MAP,), "nullable": (_FLAG,), "oneOf": (_LIST,),
    "pattern": (_TEXT,), "properties": (_MAP,), "required": (_LIST,), "title": (_TEXT,), "type": (_TEXT,),
    "uniqueItems": (_FLAG,), "x-kubernetes-embedded-resource": (_FLAG,),
    "x-kubernetes-int-or-string": (_FLAG,), "x-kubernetes-list-map-keys": (_LIST,),
    "x-kubernetes-list-type": (_TEXT,), "x-kubernetes-map-type": (_TEXT,),
    "x-kubernetes-preserve-unknown-fields": (_FLAG,), "x-kubernetes-validations": (_LIST,),
}  # fmt: skip
_RULE = {
    "fieldPath": (_TEXT,), "message": (_TEXT,), "messageExpression": (_TEXT,), "optionalOldSelf": (_FLAG,),
    "reason": (_TEXT,), "rule": (_TEXT,),
}  # fmt: skip
_TYPES = {dict: _MAP, list: _LIST, str: _TEXT, bool: _FLAG, int: _NUMBER, float: _NUMBER}


def misshapen(schema: Any, path: str) -> Iterator[Cause]:
    """Every word of a schema, and of those inside it, that has a value of another type than it takes."""
    wrong = list(_wrong(schema, _WORDS, path))
    yield from wrong
    if wrong:
        return
    for name, inner in (schema.get("properties") or {}).items():
        yield from misshapen(inner, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(name), dict):
            yield from misshapen(schema[name], f"{path}.{name}")
    for name in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(name) or ()):
            yield from misshapen(inner, f"{path}.{name}[{index}]")
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        yield from _wrong(rule, _RULE, f"{path}.x-kubernetes-validations[{index}]")
    for name in ("required", "x-kubernetes-list-map-keys"):
        for index, text in enumerate(schema.get(name) or ()):
            if not isinstance(text, str):
                yield invalid_value(f"{path}.{name}[{index}]", text, "must be of type string")


def _wrong(value: Any, words: Mapping[str, tuple[str, ...]], path: str) -> Iterator[Cause]:
    if not isinstance(value, dict):
        yield invalid_value(path, value, "must be of type object")
        return
    for name, wanted in words.items():
        if name in value and _TYPES.get(type(value[name])) not in wanted:
            yield invalid_value(f"{path}.{name}", value[name], f"must be of type {' or '.join(wanted)}")
