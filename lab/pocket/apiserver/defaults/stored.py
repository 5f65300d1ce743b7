"""Defaults of the kinds that are stored and not acted on. Pure, in place, idempotent."""

from collections.abc import Mapping
from typing import Any

from .pods import pod_spec

Object = dict[str, Any]


def _fill(obj: Object, values: Mapping[str, Any]) -> Object:
    for key, value in values.items():
        obj.setdefault(key, value)
    return obj


def _spec(obj: Object) -> Object:
    spec: Object = obj.setdefault("spec", {})
    return spec


def cron_job(obj: Object) -> None:
    spec = _fill(
        _spec(obj),
        {
            "concurrencyPolicy": "Allow",
            "suspend": False,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
        },
    )
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    template = job.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))
    obj.setdefault("status", {})


def disruption_budget(obj: Object) -> None:
    _spec(obj)
    counts = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")
    _fill(obj.setdefault("status", {}), dict.fromkeys(counts, 0))


_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def autoscaler(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("minReplicas", 1)
    if obj.get("apiVersion") == "autoscaling/v2":
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        if (behavior := spec.get("behavior")) is not None:
            _fill(behavior.setdefault("scaleUp", {}), _UP)
            _fill(behavior.setdefault("scaleDown", {}), _DOWN)
    _fill(obj.setdefault("status", {}), {"currentReplicas": 0, "desiredReplicas": 0})


def network_policy(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def ingress(obj: Object) -> None:
    _spec(obj)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def ingress_class(obj: Object) -> None:
    if parameters := _spec(obj).get("parameters"):
        parameters.setdefault("scope", "Cluster")


def persistent_volume_claim(obj: Object) -> None:
    _spec(obj).setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def persistent_volume(obj: Object) -> None:
    _fill(_spec(obj), {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def storage_class(obj: Object) -> None:
    _fill(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def limit_range(obj: Object) -> None:
    for item in _spec(obj).get("limits") or []:
        if item.get("type") == "Container":
            default = _fill(item.setdefault("default", {}), item.get("max") or {})
            request = _fill(item.setdefault("defaultRequest", {}), default)
            _fill(request, item.get("min") or {})


def priority_class(obj: Object) -> None:
    _fill(obj, {"value": 0, "preemptionPolicy": "PreemptLowerPriority"})


def pod_template(obj: Object) -> None:
    template = obj.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def replication_controller(obj: Object) -> None:
    spec = _spec(obj)
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).get("labels")
    if labels:
        spec.setdefault("selector", labels)
        obj["metadata"].setdefault("labels", labels)
    spec.setdefault("replicas", 1)
    pod_spec(template.setdefault("spec", {}))
    obj.setdefault("status", {}).setdefault("replicas", 0)


def _match(resources: Object) -> None:
    _fill(resources, {"namespaceSelector": {}, "objectSelector": {}, "matchPolicy": "Equivalent"})
    for rule in [*(resources.get("resourceRules") or []), *(resources.get("excludeResourceRules") or [])]:
        rule.setdefault("scope", "*")


def admission_policy(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("failurePolicy", "Fail")
    if spec.get("matchConstraints"):
        _match(spec["matchConstraints"])
    obj.setdefault("status", {})


def admission_policy_binding(obj: Object) -> None:
    if resources := _spec(obj).get("matchResources"):
        _match(resources)


def api_service(obj: Object) -> None:
    if service := _spec(obj).get("service"):
        service.setdefault("port", 443)
    obj.setdefault("status", {})


def flow_schema(obj: Object) -> None:
    _spec(obj).setdefault("matchingPrecedence", 1000)
    obj.setdefault("status", {})
