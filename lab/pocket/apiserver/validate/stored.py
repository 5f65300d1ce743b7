"""Validation of the kinds that are stored and not acted on, with upstream's messages. Pure.

A manifest that a real cluster refuses for its shape is refused here too, so that it is not a surprise there.
"""

from collections.abc import Mapping
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from .pods import containers
from .rules import Rules, field, forbidden_value

Object = dict[str, Any]

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_CRON_FIELDS = 5
_CLAIM = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
_PV_FIELDS = (
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
    "storageClassName", "volumeAttributesClassName", "volumeMode",
)  # fmt: skip
_FORBIDDEN = "updates to {} are forbidden."

RULES: Mapping[tuple[str, str], Rules] = {
    ("", "PersistentVolumeClaim"): Rules(
        {"spec.accessModes": "at least 1 access mode is required"}, {"spec.volumeMode": ""}
    ),
    ("", "PersistentVolume"): Rules({"spec.capacity": "", "spec.accessModes": ""}),
    ("apps", "ControllerRevision"): Rules({"data": "data is mandatory"}, {"data": ""}),
    ("batch", "CronJob"): Rules(
        {"spec.schedule": ""}, allowed={"spec.concurrencyPolicy": ("Allow", "Forbid", "Replace")}
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): Rules(
        {"spec.scaleTargetRef.kind": "", "spec.scaleTargetRef.name": ""}
    ),
    ("policy", "PodDisruptionBudget"): Rules(
        allowed={"spec.unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget")}
    ),
    ("scheduling.k8s.io", "PriorityClass"): Rules(
        frozen={"value": "may not be changed in an update.", "preemptionPolicy": ""},
        allowed={"preemptionPolicy": ("Never", "PreemptLowerPriority")},
    ),
    ("node.k8s.io", "RuntimeClass"): Rules({"handler": ""}, {"handler": ""}),
    ("networking.k8s.io", "IngressClass"): Rules({"spec.controller": ""}, {"spec.controller": ""}),
    ("storage.k8s.io", "StorageClass"): Rules(
        {"provisioner": ""},
        {
            **{name: _FORBIDDEN.format(name) for name in ("parameters", "provisioner", "reclaimPolicy")},
            "volumeBindingMode": "",
        },
        {"reclaimPolicy": ("Delete", "Retain"), "volumeBindingMode": ("Immediate", "WaitForFirstConsumer")},
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): Rules({"spec.matchConstraints": ""}),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): Rules(
        {"spec.policyName": "", "spec.validationActions": ""}
    ),
    ("certificates.k8s.io", "CertificateSigningRequest"): Rules(
        {"spec.request": "", "spec.signerName": "", "spec.usages": "usages"}
    ),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Rules({"spec.priorityLevelConfiguration.name": ""}),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Rules(
        {"spec.type": ""}, allowed={"spec.type": ("Exempt", "Limited")}
    ),
}


def cron_job(obj: Object, old: Object | None) -> list[Cause]:
    causes: list[Cause] = []
    schedule = str(field(obj, "spec.schedule") or "")
    words = schedule.split()
    if schedule and not schedule.startswith("@") and len(words) != _CRON_FIELDS:
        text = f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]"
        causes.append(invalid_value("spec.schedule", schedule, text))
    at = "spec.jobTemplate.spec.template.spec"
    template = field(obj, at) or {}
    causes += containers(template, at)
    if template.get("restartPolicy") not in ("OnFailure", "Never"):
        causes.append(required(f"{at}.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


def disruption_budget(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        return [invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
    return []


def autoscaler(obj: Object, old: Object | None) -> list[Cause]:
    least, most = field(obj, "spec.minReplicas"), field(obj, "spec.maxReplicas") or 0
    causes = []
    if isinstance(least, int) and least < 1:
        causes.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if isinstance(least, int) and most < least:
        text = "must be greater than or equal to `minReplicas`"
        causes.append(invalid_value("spec.maxReplicas", most, text))
    return causes


def ingress(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        text = "either `defaultBackend` or `rules` must be specified"
        causes.append(invalid_value("spec", spec.get("rules"), text))
    for number, rule in enumerate(spec.get("rules") or []):
        for index, path in enumerate(field(rule, "http.paths") or []):
            causes += _ingress_path(path, f"spec.rules[{number}].http.paths[{index}]")
    return causes


def _ingress_path(path: Object, at: str) -> list[Cause]:
    kind, text = path.get("pathType"), str(path.get("path") or "")
    if not kind:
        return [required(f"{at}.pathType", "pathType must be specified")]
    if kind not in _PATH_TYPES:
        return [unsupported_value(f"{at}.pathType", kind, _PATH_TYPES)]
    if not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        return [invalid_value(f"{at}.path", text, "must be an absolute path")]
    return []


def _unknown_modes(obj: Object) -> list[Cause]:
    modes = field(obj, "spec.accessModes") or []
    return [unsupported_value("spec.accessModes", mode, _MODES) for mode in modes if mode not in _MODES]


def claim(obj: Object, old: Object | None) -> list[Cause]:
    causes = _unknown_modes(obj)
    if field(obj, "spec.resources.requests.storage") is None:
        causes.append(required("spec.resources[storage]"))
    if old is not None:
        # A volume is chosen once; a bound claim may grow.
        free = ("volumeName", *(("resources",) if field(old, "status.phase") == "Bound" else ()))
        if _without(obj.get("spec"), free) != _without(old.get("spec"), free):
            causes.append(forbidden_value("spec", _CLAIM))
    return causes


def _without(spec: Object | None, names: tuple[str, ...]) -> Object:
    return {name: value for name, value in (spec or {}).items() if name not in names}


def volume(obj: Object, old: Object | None) -> list[Cause]:
    sources = [name for name in obj.get("spec") or {} if name not in _PV_FIELDS]
    if not sources:
        return [*_unknown_modes(obj), required("spec", "must specify a volume type")]
    return _unknown_modes(obj)


def replication_controller(obj: Object, old: Object | None) -> list[Cause]:
    selector = field(obj, "spec.selector")
    causes = [] if selector else [required("spec.selector")]
    labels = field(obj, "spec.template.metadata.labels") or {}
    if any(labels.get(key) != value for key, value in (selector or {}).items()):
        text = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, text))
    return causes + containers(field(obj, "spec.template.spec") or {}, "spec.template.spec")


def pod_template(obj: Object, old: Object | None) -> list[Cause]:
    return containers(field(obj, "template.spec") or {}, "template.spec")


def admission_policy(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    if spec.get("validations") or spec.get("auditAnnotations"):
        return []
    return [required("spec.validations", "validations or auditAnnotations must be specified")]


def api_service(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    name, expected = field(obj, "metadata.name"), f"{spec.get('version')}.{spec.get('group', '')}".rstrip(".")
    if name == expected:
        return []
    text = f'must be `spec.version+"."+spec.group`: {expected!r}'.replace("'", '"')
    return [invalid_value("metadata.name", name, text)]
