"""Writes how lists and objects of the built-in types merge, from Kubernetes' published OpenAPI documents.

    git clone --depth 1 --branch v1.34.0 https://github.com/kubernetes/kubernetes
    python tests/pocket/upstream_types/generate.py kubernetes/api/openapi-spec/v3 \
        > lab/pocket/apiserver/patching/upstream_types.json

A type is {"field": "shape rule…"}; scalars and lists of scalars without rules are left out. A shape is a type
of the table, "[]shape" a list, "{}shape" a map, "-" a scalar or free-form value. Rules are `map=KEY,…`, `set`
and `atomic` (server-side apply), `merge` or `merge=KEY`, and `retainKeys` (strategic merge patch), and
`always` for a struct that is there even when it is empty. The field "" holds rules of the type itself.
`kinds` has the type of each "group/version kind", and `defaults` the defaults of fields that are keys. Types
that only alpha and beta versions have are left out.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
_REF = "#/components/schemas/"
_X = "x-kubernetes-"
_LEFT_OUT = re.compile(r"\.v\d+(alpha|beta)\d+\.|List$")
_SCALARS = ("IntOrString", "MicroTime", "Quantity", "Time")
"""Scalars that have a type of their own, by which clients show them."""


def shape(schema: Schema, schemas: dict[str, Schema]) -> str:
    for part in schema.get("allOf") or ():
        if "$ref" in part:
            return shape(part, schemas)
    if "$ref" in schema:
        name = str(schema["$ref"][len(_REF) :])
        scalar = "properties" not in schemas[name] and name.rpartition(".")[2] not in _SCALARS
        return "-" if scalar else name
    if schema.get("type") == "array":
        return "[]" + shape(schema["items"], schemas)
    if isinstance(schema.get("additionalProperties"), dict):
        return "{}" + shape(schema["additionalProperties"], schemas)
    return "-"


def rules(schema: Schema) -> list[str]:
    found = []
    kind = schema.get(_X + "list-type")
    if kind == "map":
        found.append("map=" + ",".join(schema[_X + "list-map-keys"]))
    elif kind == "set":
        found.append("set")
    if schema.get(_X + "map-type") == "atomic":
        found.append("atomic")
    strategy = (schema.get(_X + "patch-strategy") or "").split(",")
    if "merge" in strategy:
        key = schema.get(_X + "patch-merge-key")
        found.append(f"merge={key}" if key else "merge")
    if "retainKeys" in strategy:
        found.append("retainKeys")
    return found + (["always"] if schema.get("allOf") and schema.get("default") == {} else [])


def fields(schema: Schema, schemas: dict[str, Schema]) -> dict[str, str]:
    found = {"": " ".join(rules(schema))} if rules(schema) else {}
    for name, inner in (schema.get("properties") or {}).items():
        what = shape(inner, schemas)
        if rules(inner) or what.strip("[]{}") != "-":
            found[name] = " ".join([what, *rules(inner)])
    return found


def key_defaults(schemas: dict[str, Schema], types: dict[str, dict[str, str]]) -> dict[str, Schema]:
    """Defaults of the fields by which lists tell the items of a type apart."""
    found: dict[str, Schema] = {}
    for text in (text for fields in types.values() for text in fields.values()):
        what, *words = text.split()
        for key in (key for word in words if word.startswith("map=") for key in word[4:].split(",")):
            name = what.removeprefix("[]")
            default = schemas[name]["properties"][key].get("default") if name in schemas else None
            if default not in (None, "", 0, {}):
                found.setdefault(name, {})[key] = default
    return found


def block(name: str, value: dict[str, Any]) -> str:
    """A JSON object with one line per key, so that a change of one type is a change of one line."""
    lines = (f"  {json.dumps(key)}: {json.dumps(value[key], sort_keys=True)}" for key in sorted(value))
    return f' "{name}": {{\n' + ",\n".join(lines) + "\n }"


def main(folder: Path) -> None:
    schemas: dict[str, Schema] = {}
    for file in sorted(folder.glob("*.json")):
        schemas |= json.loads(file.read_text()).get("components", {}).get("schemas", {})
    kept = {
        name: schema
        for name, schema in schemas.items()
        if "properties" in schema and not _LEFT_OUT.search(name)
    }
    kinds = {
        f"{kind['group']}/{kind['version']} {kind['kind']}": name
        for name, schema in kept.items()
        for kind in schema.get(_X + "group-version-kind") or ()
        if len(schema[_X + "group-version-kind"]) == 1
    }
    types = {name: fields(schema, schemas) for name, schema in kept.items()}
    parts = {"kinds": kinds, "defaults": key_defaults(schemas, types), "types": types}
    sys.stdout.write("{\n" + ",\n".join(block(name, value) for name, value in parts.items()) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
