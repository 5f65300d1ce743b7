"""Derives schemas of the built-in types from the installed Kubernetes client's models.

Runs as a short child process (the models are heavy and are wanted once per machine):
`python -m lab.pocket.apiserver.openapi.derive OUT NAME…` writes {type: schema} for the named types and
everything they refer to, under upstream's names. What the client knows and upstream's types (which are of the
served version) do not, is left out.
"""

import importlib
import importlib.util
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from lab.pocket.apiserver.patching.upstream import field as upstream_field
from lab.pocket.apiserver.patching.upstream import types

_REF = "#/components/schemas/"
_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "object": {},
    "date": {"type": "string", "format": "date"},
}
_SHARED = "io.k8s.apimachinery.pkg."
SCALARS: dict[str, dict[str, Any]] = {
    _SHARED + "util.intstr.IntOrString": {
        "description": "A number, or a string such as a name or a percentage.",
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
    _SHARED + "api.resource.Quantity": {
        "description": "A fixed-point number with a suffix: 100m, 1.5Gi, 2e3.",
        "oneOf": [{"type": "string"}, {"type": "number"}],
    },
    _SHARED + "apis.meta.v1.Time": {"type": "string", "format": "date-time"},
    _SHARED + "apis.meta.v1.MicroTime": {"type": "string", "format": "date-time"},
}
"""Types that are no objects and yet have names, by which clients show them."""
_CONTAINER = re.compile(r"^(?:list|List)\[(.+)\]$")
_MAP = re.compile(r"^(?:dict|Dict)[\[(]\s*str\s*,\s*(.+?)[\])]$")


def module_of(model: str) -> str:
    """V1ServicePort -> v1_service_port, as the client's generator names its files."""
    text = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", model)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()


def models_of(name: str) -> tuple[str, str]:
    """The client's names for a type: with its group where several groups have such a type, and without."""
    group, version, kind = name.split(".")[-3:]
    return f"{group.capitalize()}{version.capitalize()}{kind}", f"{version.capitalize()}{kind}"


@cache
def _names() -> dict[str, str]:
    """From the client's names to upstream's."""
    return {model: name for name in types() for model in models_of(name)}


def load(name: str) -> Any:
    for model in models_of(name):
        module = f"kubernetes.client.models.{module_of(model)}"
        if importlib.util.find_spec(module):
            return getattr(importlib.import_module(module), model)
    raise LookupError(f"the Kubernetes client has no model of {name}")


def type_schema(text: str, seen: list[str]) -> dict[str, Any]:
    """The schema of a type as the models spell it; types it refers to are added to `seen`.
    Raises KeyError for one that upstream's version does not have."""
    if found := _CONTAINER.match(text):
        return {"type": "array", "items": type_schema(found[1], seen)}
    if found := _MAP.match(text):
        return {"type": "object", "additionalProperties": type_schema(found[1], seen)}
    if text in _SCALARS:
        return dict(_SCALARS[text])
    seen.append(_names()[text])
    return {"$ref": _REF + _names()[text]}


def with_scalars(schema: dict[str, Any], shape: str) -> dict[str, Any]:
    """A named scalar, where upstream has one and the models a string or anything."""
    if shape in SCALARS:
        return {"$ref": _REF + shape}
    for prefix, part in (("[]", "items"), ("{}", "additionalProperties")):
        if shape.startswith(prefix) and part in schema:
            return {**schema, part: with_scalars(schema[part], shape[2:])}
    return schema


def model_schema(name: str, seen: list[str]) -> dict[str, Any]:
    cls = load(name)
    properties: dict[str, Any] = {}
    required = []
    fields = {field.serialization_alias or key: field for key, field in cls.model_fields.items()}
    for attribute, text in cls.openapi_types.items():
        key = cls.attribute_map[attribute]
        try:
            shape = with_scalars(type_schema(text, seen), upstream_field(name, key).shape)
        except KeyError:
            continue  # of a later version
        if fields[key].description:
            shape = {"description": fields[key].description, **_wrapped(shape)}
        properties[key] = shape
        if fields[key].is_required():
            required.append(key)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    text = (cls.__doc__ or "").partition("Attributes:")[0].strip()
    if text:
        schema["description"] = " ".join(text.split())
    if required:
        schema["required"] = required
    return schema


def _wrapped(shape: dict[str, Any]) -> dict[str, Any]:
    """A reference with a description beside it must be wrapped in OpenAPI v3."""
    return {"allOf": [shape], "default": {}} if "$ref" in shape else shape


def derive(names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = dict(SCALARS)
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found[name] = model_schema(name, queue)
    return found


def main(argv: list[str]) -> int:
    os.nice(5)
    target = Path(argv[0])
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(json.dumps(derive(argv[1:]), separators=(",", ":")))
    temporary.replace(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
