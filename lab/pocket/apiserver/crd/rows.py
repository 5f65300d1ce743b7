"""From a CustomResourceDefinition to rows of the resource table, one per served version. Pure."""

import re
from typing import Any

from lab.pocket.apiserver.resources.model import Column, Resource, Scale
from lab.pocket.apiserver.tables.cells import age, since

from .schema import compile_schema

Object = dict[str, Any]


def rows_of(crd: Object) -> list[Resource]:
    spec = crd["spec"]
    storage = next((v["name"] for v in spec["versions"] if v.get("storage")), "")
    return [_row(spec, version, storage) for version in spec["versions"] if version.get("served")]


def _row(spec: Object, version: Object, storage: str) -> Resource:
    names = spec["names"]
    subresources = version.get("subresources") or {}
    scale = subresources.get("scale")
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec.get("scope") == "Namespaced",
        singular=names.get("singular", ""),
        short=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(name for name in ("status", "scale") if name in subresources),
        columns=tuple(_columns(version.get("additionalPrinterColumns") or [])),
        fields={f["jsonPath"].lstrip("."): "" for f in version.get("selectableFields") or []},
        scale=_scale(scale) if scale else None,
        schema=compile_schema(schema),
        storage_version=storage,
        custom=True,
        list_kind=names.get("listKind", ""),
    )


def _scale(found: Object) -> Scale:
    return Scale(
        found.get("specReplicasPath", "").lstrip("."),
        found.get("statusReplicasPath", "").lstrip("."),
        found.get("labelSelectorPath", "").lstrip("."),
    )


def _columns(found: list[Object]) -> list[Column]:
    if not found:
        return [Column("Age", age, "date")]
    return [
        Column(
            one["name"],
            _cell(one.get("jsonPath", ""), one.get("type", "string")),
            one.get("type", "string"),
            wide=bool(one.get("priority")),
            format=one.get("format", ""),
            description=one.get("description", ""),
        )
        for one in found
    ]


def _cell(path: str, kind: str) -> Any:
    def cell(obj: Object) -> Any:
        values = json_path(obj, path)
        if not values:
            return None if kind != "date" else "<unknown>"
        if kind == "date":
            return since(values[0])
        if kind == "string":
            return ",".join(_text(value) for value in values)
        return values[0]

    return cell


def _text(value: Any) -> str:
    import json

    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def json_path(obj: Any, path: str) -> list[Any]:
    """The simple JSONPath that printer columns use: fields, [n], [*] and [?(@.a=="b")]."""
    found = [obj]
    for step in _steps(path):
        found = [inner for value in found for inner in _step(value, step)]
    return found


_STEP = re.compile(
    r"""\[\?\(@\.([^=\]]+)==["']?([^"'\])]*)["']?\)\]"""  # [?(@.type=="Ready")]
    r"""|\['([^']+)'\]"""  # ['a.b']
    r"""|\[([^\]]+)\]"""  # [0] and [*]
    r"""|\.?((?:\\.|[^.\[\]\\])+)"""  # .field, with \. for a dot in it
)


def _steps(path: str) -> list[str]:
    steps = []
    for match in _STEP.finditer(path.strip().strip("{}").removeprefix("$")):
        field, value, quoted, index, plain = match.groups()
        if field:
            steps.append(f"?{field.strip()}={value}")
        elif quoted:
            steps.append(quoted)
        elif index:
            steps.append(f"#{index}")
        else:
            steps.append(plain.replace("\\.", "."))
    return steps


def _step(value: Any, step: str) -> list[Any]:
    if step.startswith("?") and isinstance(value, list):
        field, _, wanted = step[1:].partition("=")
        return [v for v in value if str((v or {}).get(field)) == wanted]
    if step == "#*":
        return list(value.values()) if isinstance(value, dict) else list(value or [])
    if step.startswith("#") and isinstance(value, list):
        index = int(step[1:]) if step[1:].lstrip("-").isdigit() else 0
        return value[index : index + 1] if index >= 0 else value[index:][:1]
    if isinstance(value, dict) and value.get(step) is not None:
        return [value[step]]
    return []
