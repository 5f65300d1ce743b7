"""The environment of a container, from its spec and the objects that it refers to.

Pure: `Lookup` gives ConfigMaps and Secrets of the pod's namespace, from memory.
"""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.fields import BadReference, field_value, resource_value

Lookup = Callable[[str, str], Object | None]
"""("ConfigMap" or "Secret", name) -> the object, or None."""

_REFERENCE = re.compile(r"\$(?:\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


def environment(
    pod: Object, container: dict[str, Any], base: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """`base`, then envFrom, then env in order, each with $(NAME) expanded from what stands before it."""
    result = dict(base)
    for source in container.get("envFrom") or ():
        result.update(_all_of(source, lookup))
    for entry in container.get("env") or ():
        if "valueFrom" in entry:
            value = _value_from(pod, container, entry["valueFrom"], lookup)
            if value is not None:
                result[entry["name"]] = value
        else:
            result[entry["name"]] = expand(str(entry.get("value") or ""), result)
    return result


def expand(text: str, values: Mapping[str, str]) -> str:
    """$(NAME) becomes its value, $$ becomes $, an unknown $(NAME) stays."""

    def replacement(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return values.get(found[1], found[0])

    return _REFERENCE.sub(replacement, text)


def data_of(obj: Object) -> dict[str, bytes]:
    """The content of a ConfigMap or Secret."""
    if obj.get("kind") == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**{key: str(value).encode() for key, value in (obj.get("data") or {}).items()}, **binary}


def missing(kind: str, name: str) -> BadReference:
    return BadReference(f'{kind.lower()} "{name}" not found')


def _all_of(source: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    kind, reference = (
        ("ConfigMap", source["configMapRef"]) if "configMapRef" in source else ("Secret", source["secretRef"])
    )
    obj = lookup(kind, reference["name"])
    if obj is None:
        if reference.get("optional"):
            return {}
        raise missing(kind, reference["name"])
    prefix = source.get("prefix") or ""
    return {f"{prefix}{key}": value.decode(errors="replace") for key, value in data_of(obj).items()}


def _value_from(
    pod: Object, container: dict[str, Any], source: Mapping[str, Any], lookup: Lookup
) -> str | None:
    if reference := source.get("fieldRef"):
        return field_value(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        other = reference.get("containerName")
        return resource_value(container_named(pod, other) if other else container, reference)
    if not {"configMapKeyRef", "secretKeyRef"} & source.keys():
        raise BadReference(f"valueFrom of type {', '.join(source)} is not supported here")
    kind, reference = (
        ("ConfigMap", source["configMapKeyRef"])
        if "configMapKeyRef" in source
        else ("Secret", source["secretKeyRef"])
    )
    obj = lookup(kind, reference["name"])
    data = data_of(obj) if obj else {}
    if reference["key"] in data:
        return data[reference["key"]].decode(errors="replace")
    if reference.get("optional"):
        return None
    if obj is None:
        raise missing(kind, reference["name"])
    raise BadReference(f'{kind.lower()} "{reference["name"]}" has no key "{reference["key"]}"')


def container_named(pod: Object, name: str | None) -> dict[str, Any]:
    """A container of the pod, for a resourceFieldRef. Raises BadReference if it has none of that name."""
    spec = pod["spec"]
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        if container["name"] == name:
            return dict(container)
    raise BadReference(f"container {name} not found")
