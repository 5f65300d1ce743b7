"""Objects as a meta.k8s.io/v1 Table or as PartialObjectMetadata. Pure."""

from collections.abc import Sequence
from typing import Any

from lab.pocket.apiserver.resources.model import Column, Resource

from .cells import age

Object = dict[str, Any]

NAME = Column("Name", lambda obj: obj["metadata"].get("name", ""), format="name")
_CUSTOM = (Column("Age", age, "date"),)


def columns(resource: Resource) -> Sequence[Column]:
    found = resource.columns or _CUSTOM
    return found if any(column.format == "name" for column in found) else (NAME, *found)


def definitions(resource: Resource) -> list[Object]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or column.name,
            "priority": 1 if column.wide else 0,
        }
        for column in columns(resource)
    ]


def row(resource: Resource, obj: Object, include: str) -> Object:
    cells = [column.cell(obj) for column in columns(resource)]
    found: Object = {"cells": cells}
    if include == "Object":
        found["object"] = obj
    elif include != "None":
        found["object"] = partial(obj)
    return found


def partial(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata") or {},
    }


def table(resource: Resource, objects: Sequence[Object], metadata: Object, include: str) -> Object:
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions(resource),
        "rows": [row(resource, obj, include) for obj in objects],
    }
