"""Validation of built-in kinds: only what a mesh lab's users get wrong, with upstream's messages. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.pocket.apiserver.crd.definition import definition
from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

from . import stored
from .hooks import webhooks
from .pods import containers, pod, port
from .rules import IMMUTABLE, Rules, duplicate, field, forbidden_value

Object = dict[str, Any]
Validator = Callable[[Object, Object | None], list[Cause]]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DATA_LIMIT = 1024 * 1024  # bytes of all values of a ConfigMap or Secret
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_DATA_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_SECRET_KEYS = {  # type -> data that must be there
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_SET_FREE = (
    "minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "replicas", "revisionHistoryLimit",
    "template", "updateStrategy",
)  # fmt: skip
_SET_TEXT = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_RBAC = "rbac.authorization.k8s.io"
_RULES: Mapping[tuple[str, str], Rules] = {
    ("discovery.k8s.io", "EndpointSlice"): Rules(
        {"addressType": ""}, {"addressType": ""}, {"addressType": ("IPv4", "IPv6", "FQDN")}
    ),
    ("batch", "Job"): Rules(frozen={"spec.selector": "", "spec.completionMode": ""}),
    **stored.RULES,
}


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
        if old is not None and selector != field(old, "spec.selector") and obj["kind"] != "StatefulSet":
            causes.append(invalid_value("spec.selector", selector, IMMUTABLE))
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        causes.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    template = (spec.get("template") or {}).get("spec") or {}
    claims = [{"name": field(claim, "metadata.name")} for claim in spec.get("volumeClaimTemplates") or []]
    volumes = [*(template.get("volumes") or []), *claims]  # each pod of a set has a volume of every claim
    return causes + containers({**template, "volumes": volumes}, "spec.template.spec")


def stateful_set(obj: Object, old: Object | None) -> list[Cause]:
    def rest(one: Object) -> Object:
        return {k: v for k, v in (one.get("spec") or {}).items() if k not in _SET_FREE}

    causes = workload(obj, old)
    if old is not None and rest(obj) != rest(old):
        causes.append(forbidden_value("spec", _SET_TEXT))
    return causes


def job(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    causes = containers(template, "spec.template.spec")
    if template.get("restartPolicy") not in ("OnFailure", "Never"):
        at = "spec.template.spec.restartPolicy"
        causes.append(required(at, 'valid values: "OnFailure", "Never"'))
    started = old is not None and not field(old, "spec.suspend")
    if started and spec.get("template") != field(old, "spec.template"):
        causes.append(invalid_value("spec.template", spec.get("template"), IMMUTABLE))
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
    for index, one in enumerate(ports):
        at = f"spec.ports[{index}]"
        if not isinstance(one, dict):
            causes.append(invalid_value(at, one, "must be an object"))
            continue
        causes += port(one.get("port"), f"{at}.port")
        name = str(one.get("name") or "")
        if len(ports) > 1 and not name:
            causes.append(required(f"{at}.name"))
        elif name in names:
            causes.append(duplicate(f"{at}.name", name))
        names.add(name)
        if one.get("protocol") not in _PROTOCOLS:
            causes.append(unsupported_value(f"{at}.protocol", one.get("protocol"), _PROTOCOLS))
    before = ((old or {}).get("spec") or {}).get("clusterIP")
    if before and spec.get("clusterIP") != before and spec.get("type") != "ExternalName":
        causes.append(invalid_value("spec.clusterIPs[0]", spec.get("clusterIP"), "may not change once set"))
    return causes


def config_map(obj: Object, old: Object | None) -> list[Cause]:
    causes, size = [], 0
    for part in ("data", "binaryData"):
        for key, value in (obj.get(part) or {}).items():
            size += len(str(value).encode("utf-8", "surrogatepass"))
            if not _DATA_KEY.fullmatch(key) or key in (".", ".."):
                causes.append(invalid_value(f"{part}[{key}]", key, _DATA_KEY_TEXT))
    if size > _DATA_LIMIT:
        text = f"Too long: may not be more than {_DATA_LIMIT} bytes"
        causes.append(Cause("", text, "FieldValueTooLong"))
    if old is not None and old.get("immutable"):
        changed = [p for p in ("immutable", "data", "binaryData") if obj.get(p) != old.get(p)]
        causes += [forbidden_value(p, f"{IMMUTABLE} when `immutable` is set") for p in changed]
    return causes


def secret(obj: Object, old: Object | None) -> list[Cause]:
    causes = config_map(obj, old)
    if old is not None and obj.get("type") != old.get("type"):
        causes.append(invalid_value("type", obj.get("type"), IMMUTABLE))
    wanted = _SECRET_KEYS.get(str(obj.get("type")), ())
    return causes + [required(f"data[{key}]") for key in wanted if key not in (obj.get("data") or {})]


def lease(obj: Object, old: Object | None) -> list[Cause]:
    seconds, changes = field(obj, "spec.leaseDurationSeconds"), field(obj, "spec.leaseTransitions")
    causes = []
    if isinstance(seconds, int) and seconds <= 0:
        causes.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if isinstance(changes, int) and changes < 0:
        text = "must be greater than or equal to 0"
        causes.append(invalid_value("spec.leaseTransitions", changes, text))
    return causes


def binding(obj: Object, old: Object | None) -> list[Cause]:
    reference = obj.get("roleRef") or {}
    causes = [] if reference.get("name") else [required("roleRef.name")]
    if old is not None and reference != old.get("roleRef"):
        causes.append(invalid_value("roleRef", reference, "cannot change roleRef"))
    return causes


_CHECKS: Mapping[tuple[str, str], Validator] = {
    ("", "Pod"): pod,
    ("", "Service"): service,
    ("", "ConfigMap"): config_map,
    ("", "Secret"): secret,
    ("", "PersistentVolume"): stored.volume,
    ("", "PersistentVolumeClaim"): stored.claim,
    ("", "PodTemplate"): stored.pod_template,
    ("", "ReplicationController"): stored.replication_controller,
    ("apps", "Deployment"): workload,
    ("apps", "ReplicaSet"): workload,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): workload,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition,
    ("apiregistration.k8s.io", "APIService"): stored.api_service,
    ("autoscaling", "HorizontalPodAutoscaler"): stored.autoscaler,
    ("batch", "CronJob"): stored.cron_job,
    ("batch", "Job"): job,
    ("coordination.k8s.io", "Lease"): lease,
    ("networking.k8s.io", "Ingress"): stored.ingress,
    ("policy", "PodDisruptionBudget"): stored.disruption_budget,
    (_RBAC, "RoleBinding"): binding,
    (_RBAC, "ClusterRoleBinding"): binding,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): webhooks,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): stored.admission_policy,
}


def _both(rules: Rules | None, check: Validator | None) -> Validator:
    def validate(obj: Object, old: Object | None) -> list[Cause]:
        causes = rules.check(obj, old) if rules else []
        return [*causes, *(check(obj, old) if check else ())]

    return validate


VALIDATORS: Mapping[tuple[str, str], Validator] = {
    kind: _both(_RULES.get(kind), _CHECKS.get(kind)) for kind in {**_RULES, **_CHECKS}
}
