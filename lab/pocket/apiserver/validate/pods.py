"""Validation of pods and of the pod templates of other kinds, with upstream's messages. Pure."""

from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .rules import duplicate, forbidden_value

Object = dict[str, Any]

_POLICIES = ("Always", "OnFailure", "Never")


def containers(spec: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if not isinstance(spec.get("containers"), list) or not spec["containers"]:
        return [required(f"{path}.containers")]
    seen: set[str] = set()
    volumes = {v.get("name") for v in spec.get("volumes") or [] if isinstance(v, dict)}
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or []):
            at = f"{path}.{field}[{index}]"
            if not isinstance(container, dict):
                causes.append(invalid_value(at, container, "must be an object"))
                continue
            causes += _container(container, at, seen, volumes)
    return causes


def _container(container: Object, at: str, seen: set[str], volumes: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    name = container.get("name")
    if not name:
        causes.append(required(f"{at}.name"))
    elif name in seen:
        causes.append(duplicate(f"{at}.name", name))
    seen.add(str(name))
    if not container.get("image"):
        causes.append(required(f"{at}.image"))
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            text = f'Not found: "{mount.get("name")}"'
            causes.append(Cause(f"{at}.volumeMounts[{index}].name", text, "FieldValueNotFound"))
    for index, one in enumerate(container.get("ports") or []):
        causes += port(one.get("containerPort"), f"{at}.ports[{index}].containerPort")
    return causes


def port(value: Any, at: str) -> list[Cause]:
    if value is None:
        return [required(at)]
    if not isinstance(value, int) or not 0 < value < 65536:
        return [invalid_value(at, value, "must be between 1 and 65535, inclusive")]
    return []


def pod(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = containers(spec, "spec")
    if spec.get("restartPolicy") not in _POLICIES:
        causes.append(unsupported_value("spec.restartPolicy", spec.get("restartPolicy"), _POLICIES))
    if old is not None and _frozen(spec) != _frozen(old.get("spec") or {}):
        text = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)"
        )
        causes.append(forbidden_value("spec", text))
    return causes


def _frozen(spec: Object) -> Object:
    """The part of a pod's spec that may not change."""
    kept = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations")}
    for field in ("containers", "initContainers"):
        if field in kept:
            kept[field] = [{k: v for k, v in c.items() if k != "image"} for c in kept[field] or []]
    kept.pop("nodeName", None)  # bound through the binding subresource or by our own scheduler
    return kept
