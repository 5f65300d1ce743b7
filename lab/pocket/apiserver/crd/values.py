"""Values of custom resources, and the types of their schemas, as CEL rules see them. Pure."""

import base64
import re
from typing import Any

from .formats import nanoseconds

Schema = dict[str, Any]

_RESERVED = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
     "import", "let", "loop", "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_FORMATS = {
    "byte": "bytes",
    "date": "google.protobuf.Timestamp",
    "date-time": "google.protobuf.Timestamp",
    "datetime": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}
_SCALARS = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}
_INT64 = 1 << 63


def cel_type(schema: Schema) -> str:
    """The declared type; objects are maps, and what the schema leaves open is checked when it runs."""
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string"):
        return "dyn"
    match schema.get("type"):
        case "object":
            extra = schema.get("additionalProperties")
            inner = cel_type(extra) if isinstance(extra, dict) and not schema.get("properties") else "dyn"
            return f"map<string,{inner}>"
        case "array":
            items = schema.get("items")
            return f"list<{cel_type(items) if isinstance(items, dict) else 'dyn'}>"
        case "string":
            return _FORMATS.get(str(schema.get("format")), "string")
        case other:
            return _SCALARS.get(str(other), "dyn")


def field_name(name: str) -> str:
    """How a rule spells a property whose name is no CEL identifier."""
    if name in _RESERVED:
        return f"__{name}__"
    parts = re.split(r"(__|[./-])", name)
    return "".join(dict(_ESCAPES).get(part, part) for part in parts)


def cel_value(value: Any, schema: Schema) -> Any:
    """`value` with its properties named as rules spell them and its scalars in the schema's types."""
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        rest = extra if isinstance(extra, dict) else {}
        return {
            (field_name(name) if name in known else name): cel_value(inner, known.get(name, rest))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        items = schema.get("items")
        return [cel_value(item, items if isinstance(items, dict) else {}) for item in value]
    return _scalar(value, schema)


def _scalar(value: Any, schema: Schema) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if schema.get("type") == "number" or not -_INT64 <= value < _INT64:
            return float(value)
        return int(value) if schema.get("type") == "integer" else value
    if isinstance(value, str) and (kind := _FORMATS.get(str(schema.get("format")))):
        return _formatted(value, kind)
    return value


def _formatted(text: str, kind: str) -> Any:
    if kind == "bytes":
        return base64.b64decode(text)
    if kind.endswith("Duration"):
        from google.protobuf.duration_pb2 import Duration

        length = Duration()
        length.FromNanoseconds(nanoseconds(text))
        return length
    from google.protobuf.timestamp_pb2 import Timestamp

    moment = Timestamp()
    moment.FromJsonString(text if "T" in text or "t" in text else f"{text}T00:00:00Z")
    return moment
