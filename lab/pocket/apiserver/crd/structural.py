"""Whether an openAPIV3Schema is structural, and its extensions make sense; as upstream. Pure."""

import copy
import re
from collections.abc import Iterator
from typing import Any

from lab.kube.expressions import expression
from lab.pocket.apiserver.cel.program import CelError
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .rules import RULES, compile_rule
from .schema import prune
from .validation import validate

Schema = dict[str, Any]

ROOT, FIELD, ITEM = "at the root", "for specified object fields", "for specified array items"
_X = "x-kubernetes-"
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_REFUSED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_IS_KEY = "this property is in x-kubernetes-list-map-keys, so it"
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_NOT_NESTED = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    _X + "preserve-unknown-fields": "must be false to be structural",
    _X + "embedded-resource": "must be false to be structural",
    _X + "int-or-string": "must be false to be structural",
    _X + "list-map-keys": "must be empty to be structural",
    _X + "list-type": "must be undefined to be structural",
    _X + "map-type": "must be undefined to be structural",
    RULES: "must be empty to be structural",
}


def forbidden(field: str, text: str) -> Cause:
    return Cause(field, f"Forbidden: {text}", "FieldValueForbidden")


def check_schema(schema: Schema, path: str, level: str = ROOT) -> Iterator[Cause]:
    """Everything that is wrong with a schema of the right shape; `path` is where it stands."""
    yield from _type(schema, path, level)
    yield from _unsupported(schema, path)
    yield from _lists(schema, path)
    yield from _maps(schema, path, level)
    yield from _nested(schema, path)
    yield from _default(schema, path, level)
    yield from _rules(schema, path)
    for name, inner in (schema.get("properties") or {}).items():
        if not (level == ROOT and name in ("metadata", "apiVersion", "kind")):
            yield from check_schema(inner, f"{path}.properties[{name}]", FIELD)
    if isinstance(schema.get("items"), dict):
        yield from check_schema(schema["items"], f"{path}.items", ITEM)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from check_schema(schema["additionalProperties"], f"{path}.additionalProperties", FIELD)


def _type(schema: Schema, path: str, level: str) -> Iterator[Cause]:
    kind = schema.get("type") or ""
    open_ended = schema.get(_X + "int-or-string") or schema.get(_X + "preserve-unknown-fields")
    if schema.get(_X + "embedded-resource") and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", kind, text) if kind else required(f"{path}.type", text)
    elif not kind and not open_ended:
        yield required(f"{path}.type", f"must not be empty {level}")
    elif kind and kind not in _TYPES:
        yield unsupported_value(f"{path}.type", kind, _TYPES)
    elif level == ROOT and kind not in ("", "object"):
        yield invalid_value(f"{path}.type", kind, "must be object at the root")
    if kind == "array" and schema.get("items") is None:
        yield required(f"{path}.items", "must be specified")
    if schema.get(_X + "int-or-string"):
        for name in ("preserve-unknown-fields", "embedded-resource"):
            if schema.get(_X + name):
                text = "must be false if x-kubernetes-int-or-string is true"
                yield invalid_value(f"{path}.{_X}{name}", True, text)


def _unsupported(schema: Schema, path: str) -> Iterator[Cause]:
    for name in _REFUSED:
        if name in schema:
            yield forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", text)
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get(_X + "preserve-unknown-fields") is False:
        yield invalid_value(f"{path}.{_X}preserve-unknown-fields", False, "must be true or undefined")
    if "pattern" in schema:
        try:
            expression(str(schema["pattern"]))
        except ValueError as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            yield invalid_value(f"{path}.pattern", schema["pattern"], text)


def _lists(schema: Schema, path: str) -> Iterator[Cause]:
    kind, keys = schema.get(_X + "list-type"), schema.get(_X + "list-map-keys") or []
    at = f"{path}.{_X}list-map-keys"
    if kind is not None and schema.get("type") != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        yield invalid_value(f"{path}.type", schema.get("type", ""), text)
    if kind not in (None, "atomic", "set", "map"):
        yield unsupported_value(f"{path}.{_X}list-type", kind, ("atomic", "map", "set"))
    if keys and kind != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield required(f"{path}.{_X}list-type", text)
    if kind != "map":
        return
    if not keys:
        yield required(at, "must not be empty if x-kubernetes-list-type is map")
    items = schema.get("items")
    if not isinstance(items, dict):
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", items.get("type", ""), text)
    if len(set(keys)) != len(keys):
        yield invalid_value(at, keys, "must not contain duplicate entries")
    yield from _keys(items, keys, path)


def _keys(items: Schema, keys: list[str], path: str) -> Iterator[Cause]:
    for key in keys:
        found, at = (items.get("properties") or {}).get(key), f"{path}.items.properties[{key}]"
        if found is None:
            text = "entries must all be names of item properties"
            yield invalid_value(f"{path}.{_X}list-map-keys", keys, text)
            continue
        if found.get("type") in ("array", "object"):
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{at}.type", found["type"], text)
        if "default" not in found and key not in (items.get("required") or []):
            yield required(f"{at}.default", f"{_IS_KEY} must have a default or be a required property")
        if found.get("nullable"):
            yield forbidden(f"{at}.nullable", f"{_IS_KEY} cannot be nullable")


def _maps(schema: Schema, path: str, level: str) -> Iterator[Cause]:
    extra, properties = schema.get("additionalProperties"), schema.get("properties")
    if level == ROOT and extra is not None:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if properties and isinstance(extra, dict):
        text = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", text)
    if extra is False:
        yield forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if schema.get(_X + "embedded-resource") and extra is not None:
        text = "must not be used if x-kubernetes-embedded-resource is set"
        yield forbidden(f"{path}.additionalProperties", text)
    if schema.get(_X + "map-type") not in (None, "atomic", "granular"):
        yield unsupported_value(f"{path}.{_X}map-type", schema[_X + "map-type"], ("atomic", "granular"))
    if level != ROOT:
        return
    if schema.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    meta = dict((properties or {}).get("metadata") or {})
    known = set(meta.pop("properties", {}) or {})
    if set(meta) - {"type", "description"} or known - {"name", "generateName"}:
        text = (
            "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )
        yield forbidden(f"{path}.properties[metadata]", text)


def _nested(schema: Schema, path: str) -> Iterator[Cause]:
    """Inside allOf, anyOf, oneOf and not only values may be restricted, and only of known fields."""
    for word in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(word) or ()):
            excused = schema.get(_X + "int-or-string") and (
                (word == "anyOf" and schema["anyOf"] == _INT_OR_STRING)
                or (word == "allOf" and index == 0 and inner == {"anyOf": _INT_OR_STRING})
            )
            if not excused:
                yield from _value_only(inner, schema, f"{path}.{word}[{index}]")
    if isinstance(schema.get("not"), dict):
        yield from _value_only(schema["not"], schema, f"{path}.not")


def _value_only(inner: Schema, outer: Schema, path: str) -> Iterator[Cause]:
    for name, text in _NOT_NESTED.items():
        if inner.get(name) not in (None, "", False, []):
            yield forbidden(f"{path}.{name}", text)
    yield from _nested(inner, path)
    for name, found in (inner.get("properties") or {}).items():
        known = (outer.get("properties") or {}).get(name)
        if name == "metadata":
            yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")
        elif known is None and not isinstance(outer.get("additionalProperties"), dict):
            at = re.sub(r"\.(allOf|anyOf|oneOf)\[\d+\].*|\.not.*", "", path) + f".properties[{name}]"
            yield required(at, f"because it is defined in {path}.properties[{name}]")
        else:
            yield from _value_only(found, known or {}, f"{path}.properties[{name}]")
    if isinstance(inner.get("items"), dict):
        yield from _value_only(inner["items"], outer.get("items") or {}, f"{path}.items")


def _default(schema: Schema, path: str, level: str) -> Iterator[Cause]:
    if "default" not in schema:
        return
    at = f"{path}.default"
    if level == ROOT:
        yield forbidden(at, "must not be set at the root")
        return
    unknown = prune(copy.deepcopy(schema["default"]), schema)
    if unknown:
        yield invalid_value(at, schema["default"], f"must not have unknown fields: {', '.join(unknown)}")
    yield from validate(schema["default"], schema, at)


def _rules(schema: Schema, path: str) -> Iterator[Cause]:
    for index, raw in enumerate(schema.get(RULES) or ()):
        at = f"{path}.{RULES}[{index}]"
        rule, message = str(raw.get("rule") or ""), raw.get("message")
        if not rule.strip():
            yield required(f"{at}.rule", "rule is not specified")
            continue
        if message is not None and not str(message).strip():
            yield invalid_value(f"{at}.message", message, "must be non-empty if specified")
        elif message is None and "\n" in rule.strip():
            yield required(f"{at}.message", "message must be specified if rule contains line breaks")
        elif message and "\n" in message.strip():
            yield invalid_value(f"{at}.message", message, "must not contain line breaks")
        if (reason := raw.get("reason")) is not None and reason not in _REASONS:
            yield unsupported_value(f"{at}.reason", reason, _REASONS)
        try:
            compiled = compile_rule(raw, schema)
        except CelError as error:
            name = "messageExpression" if str(error).startswith("messageExpression") else "rule"
            yield invalid_value(f"{at}.{name}", raw[name], str(error))
            continue
        if raw.get("optionalOldSelf") is not None and not compiled.uses_old:
            text = "may not be set if oldSelf is not used in rule"
            yield invalid_value(f"{at}.optionalOldSelf", raw["optionalOldSelf"], text)
