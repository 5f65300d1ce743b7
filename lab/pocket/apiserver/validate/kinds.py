"""Validation of built-in kinds: only what a mesh lab's users get wrong, with upstream's messages. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from lab.pocket.apiserver.crd.definition import definition
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .names import is_label_value

Object = dict[str, Any]
Validator = Callable[[Object, Object | None], list[Cause]]

IMMUTABLE = "field is immutable"
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def _containers(spec: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
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
        causes.append(Cause(f"{at}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate"))
    seen.add(str(name))
    if not container.get("image"):
        causes.append(required(f"{at}.image"))
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            text = f'Not found: "{mount.get("name")}"'
            causes.append(Cause(f"{at}.volumeMounts[{index}].name", text, "FieldValueNotFound"))
    for index, port in enumerate(container.get("ports") or []):
        causes += _port(port.get("containerPort"), f"{at}.ports[{index}].containerPort")
    return causes


def _port(value: Any, at: str) -> list[Cause]:
    if value is None:
        return [required(at)]
    if not isinstance(value, int) or not 0 < value < 65536:
        return [invalid_value(at, value, "must be between 1 and 65535, inclusive")]
    return []


def pod(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = _containers(spec, "spec")
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        allowed = ("Always", "OnFailure", "Never")
        causes.append(unsupported_value("spec.restartPolicy", spec.get("restartPolicy"), allowed))
    if old is not None and _frozen(spec) != _frozen(old.get("spec") or {}):
        text = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)"
        )
        causes.append(Cause("spec", text, "FieldValueForbidden"))
    return causes


def _frozen(spec: Object) -> Object:
    """The part of a pod's spec that may not change."""
    kept = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations")}
    for field in ("containers", "initContainers"):
        if field in kept:
            kept[field] = [{k: v for k, v in c.items() if k != "image"} for c in kept[field] or []]
    kept.pop("nodeName", None)  # bound through the binding subresource or by our own scheduler
    return kept


def workload(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    selector = spec.get("selector")
    if not isinstance(selector, dict) or not selector:
        causes.append(required("spec.selector"))
    else:
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
        wanted = selector.get("matchLabels") or {}
        if any(labels.get(k) != v for k, v in wanted.items()):
            text = "`selector` does not match template `labels`"
            causes.append(invalid_value("spec.template.metadata.labels", labels, text))
        if old is not None and selector != (old.get("spec") or {}).get("selector"):
            causes.append(invalid_value("spec.selector", selector, IMMUTABLE))
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        causes.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    return causes + _containers((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")


def job(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    causes = _containers(template, "spec.template.spec")
    if template.get("restartPolicy") not in ("OnFailure", "Never"):
        text = 'Required value: valid values: "OnFailure", "Never"'
        causes.append(Cause("spec.template.spec.restartPolicy", text, "FieldValueRequired"))
    return causes


def service(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec.get("type") not in kinds:
        causes.append(unsupported_value("spec.type", spec.get("type"), kinds))
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(required("spec.ports"))
    names: set[str] = set()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        if not isinstance(port, dict):
            causes.append(invalid_value(at, port, "must be an object"))
            continue
        causes += _port(port.get("port"), f"{at}.port")
        name = str(port.get("name") or "")
        if len(ports) > 1 and not name:
            causes.append(required(f"{at}.name"))
        elif name in names:
            causes.append(Cause(f"{at}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate"))
        names.add(name)
        if port.get("protocol") not in _PROTOCOLS:
            causes.append(unsupported_value(f"{at}.protocol", port.get("protocol"), _PROTOCOLS))
    before = ((old or {}).get("spec") or {}).get("clusterIP")
    if before and spec.get("clusterIP") != before and spec.get("type") != "ExternalName":
        causes.append(invalid_value("spec.clusterIPs[0]", spec.get("clusterIP"), "may not change once set"))
    return causes


def config_map(obj: Object, old: Object | None) -> list[Cause]:
    if old is None or not old.get("immutable"):
        return []
    text = f"Forbidden: {IMMUTABLE} when `immutable` is set"
    return [
        Cause(field, text, "FieldValueForbidden")
        for field in ("data", "binaryData")
        if obj.get(field) != old.get(field)
    ]


def secret(obj: Object, old: Object | None) -> list[Cause]:
    causes = config_map(obj, old)
    if old is not None and obj.get("type") != old.get("type"):
        causes.append(invalid_value("type", obj.get("type"), IMMUTABLE))
    return causes


def binding(obj: Object, old: Object | None) -> list[Cause]:
    reference = obj.get("roleRef") or {}
    causes = [] if reference.get("name") else [required("roleRef.name")]
    if old is not None and reference != old.get("roleRef"):
        causes.append(invalid_value("roleRef", reference, "cannot change roleRef"))
    return causes


def labels(obj: Object) -> list[Cause]:
    found = (obj.get("metadata") or {}).get("labels") or {}
    text = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
        "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
        "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    )
    return [
        invalid_value("metadata.labels", value, text) for value in found.values() if not is_label_value(value)
    ]


_RBAC = "rbac.authorization.k8s.io"
VALIDATORS: Mapping[tuple[str, str], Validator] = {
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("", "ConfigMap"): config_map,
    ("", "Secret"): secret,
    ("apps", "Deployment"): workload,
    ("apps", "ReplicaSet"): workload,
    ("apps", "StatefulSet"): workload,
    ("apps", "DaemonSet"): workload,
    ("batch", "Job"): job,
    (_RBAC, "RoleBinding"): binding,
    (_RBAC, "ClusterRoleBinding"): binding,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition,
}
