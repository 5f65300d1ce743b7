"""Checks a built-in object against its derived schema: unknown fields and wrong JSON types. Pure."""

from dataclasses import dataclass, field
from typing import Any

from lab.kube.objects import parse_time

Schema = dict[str, Any]

_REF = "#/components/schemas/"


@dataclass
class Findings:
    """`unknown` are field paths; `wrong` are (path, found, wanted); `times` are texts that are no time."""

    unknown: list[str] = field(default_factory=list)
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    times: list[str] = field(default_factory=list)


def check(obj: Any, schemas: dict[str, Schema], model: str) -> Findings:
    """As decoding upstream does, unknown fields are removed from `obj`, and nulls made what is empty."""
    findings = Findings()
    if model in schemas:
        _value(obj, schemas[model], schemas, "", findings)
    return findings


def _value(value: Any, schema: Schema, schemas: dict[str, Schema], path: str, out: Findings) -> None:
    if value is None:
        return
    if reference := schema.get("$ref"):
        schema = schemas[reference[len(_REF) :]]
    wanted = schema.get("type")
    allowed: list[str] = wanted if isinstance(wanted, list) else [wanted] if wanted else []
    if allowed and not any(_fits(value, kind) for kind in allowed):
        out.wrong.append((path, _go_name(value), _go_type(allowed[-1])))
        return
    if schema.get("format") == "date-time" and not _is_time(value):
        out.times.append(value)
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item is None:
                value[index] = _empty(schema.get("items") or {}, schemas)
            _value(value[index], schema.get("items") or {}, schemas, f"{path}[{index}]", out)
    elif isinstance(value, dict):
        _fields(value, schema, schemas, path, out)


def _fields(
    value: dict[str, Any], schema: Schema, schemas: dict[str, Schema], path: str, out: Findings
) -> None:
    known = schema.get("properties")
    extra = schema.get("additionalProperties")
    for name in list(value):
        at = f"{path}.{name}" if path else name
        if known is not None and name in known and value[name] is None:
            del value[name]
        elif known is not None and name in known:
            _value(value[name], known[name], schemas, at, out)
        elif isinstance(extra, dict):
            if value[name] is None:
                value[name] = _empty(extra, schemas)
            _value(value[name], extra, schemas, at, out)
        elif known is not None:
            out.unknown.append(at)
            del value[name]


def _empty(schema: Schema, schemas: dict[str, Schema]) -> Any:
    """What a null stands for in Go: the empty value of its type."""
    if reference := schema.get("$ref"):
        schema = schemas[reference[len(_REF) :]]
    wanted = schema.get("type")
    empty = {"object": {}, "array": [], "boolean": False, "integer": 0, "number": 0, "string": ""}
    return empty.get(wanted) if isinstance(wanted, str) else None


def _is_time(text: str) -> bool:
    try:
        return parse_time(text).tzinfo is not None
    except ValueError:
        return False


def _fits(value: Any, wanted: str) -> bool:
    match wanted:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return isinstance(value, str)


def _go_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {dict: "object", list: "array", str: "string", int: "number", float: "number"}
    return names.get(type(value), "null")


def _go_type(wanted: str) -> str:
    return {"integer": "int32", "boolean": "bool", "array": "slice", "object": "struct"}.get(wanted, wanted)
