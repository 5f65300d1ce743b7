"""The OpenAPI document in version 2's words, as JSON and in the protobuf that Go clients ask for. Pure."""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Object = dict[str, Any]

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
MEDIA_TYPES = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
_V3_REF = "#/components/schemas/"
_ONLY_V3 = ("oneOf", "anyOf", "not", "nullable")
_CONTAINERS = ("items", "additionalProperties")


def as_v2(document: Object) -> Object:
    """Definitions instead of components, plain references, and no words that version 2 does not have."""
    schemas = document["components"]["schemas"]
    return {
        "swagger": "2.0",
        "info": document["info"],
        "paths": {path: _path(item) for path, item in document["paths"].items()},
        "definitions": {name: _schema(schema) for name, schema in schemas.items()},
    }


def _schema(schema: Object) -> Object:
    merged = dict(schema)
    parts: list[Object] = schema.get("allOf") or []
    if len(parts) == 1 and "$ref" in parts[0]:
        merged = {"$ref": parts[0]["$ref"], "description": schema.get("description", "")}
    found = {name: value for name, value in merged.items() if name not in _ONLY_V3}
    if "oneOf" in merged and "type" not in merged:
        found["type"] = "string"  # a quantity, or a number or name
    if "$ref" in found:
        found["$ref"] = found["$ref"].replace(_V3_REF, "#/definitions/")
    for name in _CONTAINERS:
        if isinstance(found.get(name), dict):
            found[name] = _schema(found[name])
    if "properties" in found:
        found["properties"] = {name: _schema(inner) for name, inner in found["properties"].items()}
    if "allOf" in found:
        found["allOf"] = [_schema(part) for part in found["allOf"]]
    return found


def _path(item: Object) -> Object:
    found = {}
    for method, operation in item.items():
        kept = {k: v for k, v in operation.items() if k not in ("requestBody", "responses")}
        kept["parameters"] = [
            {"name": p["name"], "in": "query", "type": "string", "uniqueItems": True}
            for p in operation["parameters"]
        ]
        kept["responses"] = {"200": {"description": "OK"}}
        found[method] = kept
    return found


def to_protobuf(document: Object) -> bytes:
    """A version 2 document as the `openapi.v2.Document` message of gnostic."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    definitions = b"".join(_named(1, n, _message_of_schema(s)) for n, s in document["definitions"].items())
    paths = b"".join(_named(2, name, _path_item(item)) for name, item in document["paths"].items())
    return _text(1, document["swagger"]) + _part(2, info) + _part(8, paths) + _part(9, definitions)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, value: Any) -> bytes:
    return _part(number, str(value).encode())


def _count(number: int, value: Any) -> bytes:
    return _varint(number << 3) + _varint(int(value) & (1 << 64) - 1)


def _double(number: int, value: Any) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", float(value))


def _any(number: int, value: Any) -> bytes:
    return _part(number, _text(2, json.dumps(value)))


def _named(number: int, name: str, value: bytes) -> bytes:
    return _part(number, _text(1, name) + _part(2, value))


def _extensions(number: int, found: Mapping[str, Any]) -> bytes:
    return b"".join(
        _part(number, _text(1, name) + _any(2, value))
        for name, value in found.items()
        if name.startswith("x-")
    )


_Writer = Callable[[int, Any], bytes]
_SIMPLE: dict[str, tuple[int, _Writer]] = {
    "$ref": (1, _text), "format": (2, _text), "title": (3, _text), "description": (4, _text),
    "default": (5, _any), "multipleOf": (6, _double), "maximum": (7, _double),
    "exclusiveMaximum": (8, _count), "minimum": (9, _double), "exclusiveMinimum": (10, _count),
    "maxLength": (11, _count), "minLength": (12, _count), "pattern": (13, _text), "maxItems": (14, _count),
    "minItems": (15, _count), "uniqueItems": (16, _count), "maxProperties": (17, _count),
    "minProperties": (18, _count),
}  # fmt: skip


def _message_of_schema(schema: Object) -> bytes:
    return b"".join(_schema_parts(schema))


def _schema_parts(schema: Object) -> Iterator[bytes]:
    for name, (number, write) in _SIMPLE.items():
        if name in schema:
            yield write(number, schema[name])
    for name in schema.get("required") or ():
        yield _text(19, name)
    for value in schema.get("enum") or ():
        yield _any(20, value)
    extra = schema.get("additionalProperties")
    if extra is not None:
        inner = _part(1, _message_of_schema(extra)) if isinstance(extra, dict) else _count(2, extra)
        yield _part(21, inner)
    if "type" in schema:
        yield _part(22, _text(1, schema["type"]))
    if isinstance(schema.get("items"), dict):
        yield _part(23, _part(1, _message_of_schema(schema["items"])))
    for part in schema.get("allOf") or ():
        yield _part(24, _message_of_schema(part))
    if properties := schema.get("properties"):
        named = (_named(1, name, _message_of_schema(inner)) for name, inner in properties.items())
        yield _part(25, b"".join(named))
    yield _extensions(31, schema)


_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def _path_item(item: Object) -> bytes:
    return b"".join(_part(_METHODS[method], _operation(found)) for method, found in item.items())


def _operation(found: Object) -> bytes:
    parameters = b"".join(_part(8, _query_parameter(parameter)) for parameter in found["parameters"])
    tags = b"".join(_text(1, tag) for tag in found["tags"])
    answers = b"".join(_named(1, code, _part(1, _text(1, "OK"))) for code in found["responses"])
    return tags + _text(5, found["operationId"]) + parameters + _part(9, answers) + _extensions(13, found)


def _query_parameter(found: Object) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    query = _text(2, "query") + _text(4, found["name"]) + _text(6, found["type"]) + _count(20, True)
    return _part(1, _part(2, _part(3, query)))
