"""One object in the versions of its kind: as it is stored and as it is served. Pure."""

from typing import Any

from .model import Resource

Object = dict[str, Any]


def to_served(resource: Resource, obj: Object) -> Object:
    """The stored form in the version that was asked for; may return `obj` itself."""
    if resource.conversion is not None:
        return resource.conversion.to_served(obj)
    if obj.get("apiVersion") == resource.api_version:
        return obj
    return {**obj, "apiVersion": resource.api_version}


def to_stored(resource: Resource, obj: Object) -> Object:
    if resource.conversion is not None:
        return resource.conversion.to_stored(obj)
    obj["apiVersion"] = resource.stored_api_version
    return obj
