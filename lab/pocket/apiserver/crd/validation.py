"""Validation of a value against an OpenAPI v3 structural schema, with upstream's messages. Pure."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from lab.kube.expressions import expression
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .correlate import ABSENT, child, same
from .formats import RANGES, fits

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


def validate(value: Any, schema: Schema, path: str, old: Any = ABSENT) -> list[Cause]:
    """Every way in which `value` does not follow `schema`.

    What an update leaves as it was (`old`) is not held against it, as upstream's ratcheting has it.
    """
    causes = _causes(value, schema, path, old)
    return [] if causes and old is not ABSENT and same(value, old) else causes


def _causes(value: Any, schema: Schema, path: str, old: Any) -> list[Cause]:
    if value is None and (schema.get("nullable") or not path):
        return []
    wrong = _wrong_type(value, schema, path)
    if wrong is not None:
        return [wrong]
    causes = [*_simple(value, schema, path), *_combined(value, schema, path)]
    if isinstance(value, dict):
        causes += _object(value, schema, path, old)
    elif isinstance(value, list):
        causes += _array(value, schema, path, old)
    return causes


def _wrong_type(value: Any, schema: Schema, path: str) -> Cause | None:
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, str) or _TYPES["integer"](value):
            return None
        return _type_cause(path, value, "integer,string")
    wanted = schema.get("type")
    if not wanted or _TYPES.get(wanted, lambda v: True)(value):
        return None
    return _type_cause(path, value, wanted)


def _type_cause(path: str, value: Any, wanted: str) -> Cause:
    found = _NAMES.get(type(value), "null")
    text = f'Invalid value: "{found}": {path or "<root>"} in body must be of type {wanted}: "{found}"'
    return Cause(path or "<root>", text, "FieldValueTypeInvalid")


def _fits(pattern: str, value: str) -> bool:
    """A pattern that cannot be read, in a definition older than the check for it, is not enforced."""
    try:
        return bool(expression(pattern).search(value))
    except ValueError:
        return True


def _simple(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    if "enum" in schema and not any(same(value, allowed) for allowed in schema["enum"]):
        shown = [item if isinstance(item, str) else json.dumps(item) for item in schema["enum"]]
        yield unsupported_value(path, value, shown)
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
    if "pattern" in schema and not _fits(schema["pattern"], value):
        yield invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'")
    if (wanted := schema.get("format")) and not fits(value, wanted):
        yield invalid_value(path, value, f'{path} in body must be of type {wanted}: "{value}"')


def _number(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    if low is not None and (value < low or (above and value == low)):
        word = "greater than" if above else "greater than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {low}")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if high is not None and (value > high or (below and value == high)):
        word = "less than" if below else "less than or equal to"
        yield invalid_value(path, value, f"{path} in body should be {word} {high}")
    if (step := schema.get("multipleOf")) and not float(value / step).is_integer():
        yield invalid_value(path, value, f"{path} in body should be a multiple of {step}")
    wanted = str(schema.get("format", ""))
    if (limit := RANGES.get(wanted)) and not -limit <= value < limit:
        text = f"Checked value must be of type integer with format {wanted} in {path}"
        yield invalid_value(path, value, text)


def _combined(value: Any, schema: Schema, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for inner in schema.get("allOf") or []:
        causes += validate(value, inner, path)
    if options := schema.get("anyOf"):
        found = [validate(value, option, path) for option in options]
        if all(found):
            causes += [_no_choice(path, "must validate at least one schema (anyOf)"), *min(found, key=len)]
    if options := schema.get("oneOf"):
        found = [validate(value, option, path) for option in options]
        good = found.count([])
        if good == 0:
            text = "must validate one and only one schema (oneOf). Found none valid"
            causes += [_no_choice(path, text), *min(found, key=len)]
        elif good > 1:
            text = f"must validate one and only one schema (oneOf). Found {good} valid alternatives"
            causes.append(_no_choice(path, text))
    if (inner := schema.get("not")) is not None and not validate(value, inner, path):
        causes.append(_no_choice(path, "must not validate the schema (not)"))
    return causes


def _no_choice(path: str, text: str) -> Cause:
    """Upstream attributes these to no field and names the place in the text."""
    return Cause("<nil>", f'Invalid value: "": "{path}" {text}')


def _object(value: dict[str, Any], schema: Schema, path: str, old: Any) -> list[Cause]:
    names = schema.get("required") or []
    causes = [required(f"{path}.{name}" if path else name) for name in names if name not in value]
    known = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, inner in value.items():
        shape = known.get(name, extra)
        if isinstance(shape, dict):
            at = f"{path}.{name}" if path else name
            causes += validate(inner, shape, at, child(old, name))
    causes += _too_many(len(value), schema, "maxProperties", path)
    if len(value) < schema.get("minProperties", 0):
        text = f"{path} in body should have at least {schema['minProperties']} properties"
        causes.append(invalid_value(path, len(value), text))
    return causes


def _too_many(size: int, schema: Schema, limit: str, path: str) -> list[Cause]:
    if size <= schema.get(limit, size):
        return []
    noun = "item" if schema[limit] == 1 else "items"
    return [Cause(path, f"Too many: {size}: must have at most {schema[limit]} {noun}", "FieldValueTooMany")]


def _array(value: list[Any], schema: Schema, path: str, old: Any) -> list[Cause]:
    causes = _too_many(len(value), schema, "maxItems", path)
    if len(value) < schema.get("minItems", 0):
        text = f"{path} in body should have at least {schema['minItems']} items"
        causes.append(invalid_value(path, len(value), text))
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            causes += validate(item, items, f"{path}[{index}]", child(old, item, schema))
    return causes + _duplicates(value, schema, path)


def _duplicates(value: list[Any], schema: Schema, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return []
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[str] = set()
    causes: list[Cause] = []
    for index, item in enumerate(value):
        of_map = kind == "map" and isinstance(item, dict)
        shown = {k: item[k] for k in keys if k in item} if of_map else item
        text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        if text in seen:
            causes.append(Cause(f"{path}[{index}]", f"Duplicate value: {text}", "FieldValueDuplicate"))
        seen.add(text)
    return causes
