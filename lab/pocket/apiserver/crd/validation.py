"""Validation of a value against an OpenAPI v3 structural schema. Pure."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

Schema = dict[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: (
        (isinstance(v, int) and not isinstance(v, bool)) or (isinstance(v, float) and v.is_integer())
    ),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}
_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


def validate(value: Any, schema: Schema, path: str) -> list[Cause]:
    """Every way in which `value` does not follow `schema`."""
    if value is None and (schema.get("nullable") or not path):
        return []
    wrong = _wrong_type(value, schema, path)
    if wrong is not None:
        return [wrong]
    causes = list(_simple(value, schema, path))
    causes += _combined(value, schema, path)
    if isinstance(value, dict):
        causes += _object(value, schema, path)
    elif isinstance(value, list):
        causes += _array(value, schema, path)
    return causes


def _wrong_type(value: Any, schema: Schema, path: str) -> Cause | None:
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, str) or _TYPES["integer"](value):
            return None
        found = _NAMES.get(type(value), "null")
        return _type_cause(path, found, "integer,string")
    wanted = schema.get("type")
    if wanted is None or _TYPES.get(wanted, lambda v: True)(value):
        return None
    return _type_cause(path, _NAMES.get(type(value), "null"), wanted)


def _type_cause(path: str, found: str, wanted: str) -> Cause:
    shown = path or "<root>"
    text = f'Invalid value: "{found}": {shown} in body must be of type {wanted}: "{found}"'
    return Cause(shown, text, "FieldValueTypeInvalid")


@lru_cache(maxsize=512)
def _pattern(text: str) -> Any:
    """A pattern in the engine it was written for, whose time is linear in the value's length."""
    import re2  # 3 MB, for clusters whose custom resources have patterns

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error:
        return None  # what cannot be read is not enforced


def _simple(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported_value(path, value, [str(item) for item in schema["enum"]])
    if isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)


def _string(value: str, schema: Schema, path: str) -> Iterator[Cause]:
    if len(value) > schema.get("maxLength", len(value)):
        yield Cause(path, f"Too long: may not be more than {schema['maxLength']} bytes", "FieldValueTooLong")
    if len(value) < schema.get("minLength", 0):
        text = f"{path} in body should be at least {schema['minLength']} chars long"
        yield invalid_value(path, value, text)
    if "pattern" in schema and (found := _pattern(schema["pattern"])) and not found.search(value):
        yield invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        yield invalid_value(path, value, f'{path} in body must be of type date-time: "{value}"')


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return False
    return "T" in value or "t" in value


def _number(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    if low is not None and (value < low or (above and value == low)):
        word = "greater than" if above else "greater than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {low}")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if high is not None and (value > high or (below and value == high)):
        word = "less than" if below else "less than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {high}")
    if (step := schema.get("multipleOf")) and value % step:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {step}")


def _combined(value: Any, schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for inner in schema.get("allOf") or []:
        causes += validate(value, inner, path)
    if (options := schema.get("anyOf")) and not any(not validate(value, o, path) for o in options):
        causes.append(invalid_value(path, value, "must validate at least one schema (anyOf)"))
    if options := schema.get("oneOf"):
        good = sum(1 for option in options if not validate(value, option, path))
        if good != 1:
            text = "must validate one and only one schema (oneOf)"
            if good:
                text += f". Found {good} valid alternatives"
            causes.append(invalid_value(path, value, text))
    if (inner := schema.get("not")) is not None and not validate(value, inner, path):
        causes.append(invalid_value(path, value, "must not validate the schema (not)"))
    return causes


def _object(value: dict[str, Any], schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in schema.get("required") or []:
        if name not in value:
            causes.append(required(f"{path}.{name}" if path else name))
    known = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, inner in value.items():
        at = f"{path}.{name}" if path else name
        if name in known:
            causes += validate(inner, known[name], at)
        elif isinstance(extra, dict):
            causes += validate(inner, extra, at)
    if len(value) > schema.get("maxProperties", len(value)):
        text = f"must have at most {schema['maxProperties']} items"
        causes.append(Cause(path, f"Too many: {len(value)}: {text}", "FieldValueTooMany"))
    if len(value) < schema.get("minProperties", 0):
        text = f"{path} in body should have at least {schema['minProperties']} properties"
        causes.append(invalid_value(path, len(value), text))
    return causes


def _array(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if len(value) > schema.get("maxItems", len(value)):
        text = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        causes.append(Cause(path, text, "FieldValueTooMany"))
    if len(value) < schema.get("minItems", 0):
        text = f"{path} in body should have at least {schema['minItems']} items"
        causes.append(invalid_value(path, len(value), text))
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            causes += validate(item, items, f"{path}[{index}]")
    return causes + _duplicates(value, schema, path)


def _duplicates(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    import json

    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return []
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[str] = set()
    causes: list[Cause] = []
    for index, item in enumerate(value):
        shown = {k: item.get(k) for k in keys} if kind == "map" and isinstance(item, dict) else item
        text = json.dumps(shown, sort_keys=True)
        if text in seen:
            causes.append(Cause(f"{path}[{index}]", f"Duplicate value: {text}", "FieldValueDuplicate"))
        seen.add(text)
    return causes
