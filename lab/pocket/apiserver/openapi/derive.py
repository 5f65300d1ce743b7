"""Derives schemas of the built-in kinds from the installed Kubernetes client's models.

Runs as a short child process (the models are heavy and are wanted once per machine):
`python -m lab.pocket.apiserver.openapi.derive OUT NAME…` writes {model: schema} for the named models
and everything they refer to.
"""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

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
# The models say "object" for these; a bare object otherwise is free-form JSON.
_INT_OR_STRING = ("port", "targetPort", "maxUnavailable", "maxSurge", "minAvailable")
_CONTAINER = re.compile(r"^(?:list|List)\[(.+)\]$")
_MAP = re.compile(r"^(?:dict|Dict)[\[(]\s*str\s*,\s*(.+?)[\])]$")


def module_of(model: str) -> str:
    """V1ServicePort -> v1_service_port, as the client's generator names its files."""
    text = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", model)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text).lower()


def load(model: str) -> Any:
    module = importlib.import_module(f"kubernetes.client.models.{module_of(model)}")
    return getattr(module, model)


def type_schema(text: str, seen: list[str]) -> dict[str, Any]:
    """The schema of a type as the models spell it; models it refers to are added to `seen`."""
    if found := _CONTAINER.match(text):
        return {"type": "array", "items": type_schema(found[1], seen)}
    if found := _MAP.match(text):
        return {"type": "object", "additionalProperties": type_schema(found[1], seen)}
    if text in _SCALARS:
        return dict(_SCALARS[text])
    seen.append(text)
    return {"$ref": f"#/components/schemas/{text}"}


def model_schema(model: str, seen: list[str]) -> dict[str, Any]:
    cls = load(model)
    properties: dict[str, Any] = {}
    required = []
    fields = {field.serialization_alias or name: field for name, field in cls.model_fields.items()}
    for attribute, text in cls.openapi_types.items():
        name = cls.attribute_map[attribute]
        field = fields[name]
        shape = type_schema(text, seen)
        if not shape and name in _INT_OR_STRING:
            shape = {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
        if field.description:
            shape = {"description": field.description, **_wrapped(shape)}
        properties[name] = shape
        if field.is_required():
            required.append(name)
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
    found: dict[str, Any] = {}
    queue = list(names)
    while queue:
        model = queue.pop()
        if model in found:
            continue
        found[model] = model_schema(model, queue)
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
