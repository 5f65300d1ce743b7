"""From a CustomResourceDefinition to rows of the resource table, one per served version. Pure."""

import json
from collections.abc import Callable
from typing import Any

from lab.base.jsonpath import find
from lab.pocket.apiserver.resources.model import Column, Resource, Scale
from lab.pocket.apiserver.tables.cells import age, since

from .schema import compile_schema

Object = dict[str, Any]

_DESCRIPTION = "Custom resource definition column (in JSONPath format): {}"
_AGE = _DESCRIPTION.format(".metadata.creationTimestamp")


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
        deprecated=_warning(spec, version),
    )


def _warning(spec: Object, version: Object) -> str:
    if not version.get("deprecated"):
        return ""
    text = version.get("deprecationWarning")
    return text or f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"


def _scale(found: Object) -> Scale:
    return Scale(
        found.get("specReplicasPath", "").lstrip("."),
        found.get("statusReplicasPath", "").lstrip("."),
        found.get("labelSelectorPath", "").lstrip("."),
    )


def _columns(found: list[Object]) -> list[Column]:
    if not found:
        return [Column("Age", age, "date", description=_AGE)]
    return [
        Column(
            one["name"],
            _cell(one.get("jsonPath", ""), one.get("type", "string")),
            one.get("type", "string"),
            wide=bool(one.get("priority")),
            format=one.get("format", ""),
            description=one.get("description") or _DESCRIPTION.format(one.get("jsonPath", "")),
        )
        for one in found
    ]


def _cell(path: str, kind: str) -> Callable[[Object], Any]:
    """Of several values that the path leads to, the first is shown; one of another type is not."""

    def cell(obj: Object) -> Any:
        values = find(obj, path)
        return _shown(values[0], kind) if values else None

    return cell


def _shown(value: Any, kind: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "string":
            return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        case "date":
            return since(value) if isinstance(value, str) else None
        case "integer":
            return int(value) if number else None
        case "number":
            return value if number else None
        case _:
            return value if isinstance(value, bool) else None
