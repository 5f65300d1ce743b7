"""Printer columns of the kinds that are stored and not acted on. Pure (age reads the clock)."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.pocket.apiserver.resources.model import Column

from . import cells, workloads
from .cells import at, dig, shown

Object = dict[str, Any]

_AGE = Column("Age", cells.age)
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(path: str) -> Any:
    return lambda obj: ",".join(short for mode, short in _MODES.items() if mode in (dig(obj, path) or ()))


def _class_name(obj: Object) -> str:
    notes = dig(obj, "metadata.annotations") or {}
    default = notes.get("storageclass.kubernetes.io/is-default-class") == "true"
    return f"{obj['metadata'].get('name', '')}{' (default)' if default else ''}"


def _phase(obj: Object) -> str:
    return "Terminating" if dig(obj, "metadata.deletionTimestamp") else str(dig(obj, "status.phase") or "")


def _claim(obj: Object) -> str:
    reference = dig(obj, "spec.claimRef")
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}" if reference else ""


def _hosts(obj: Object) -> str:
    hosts = [rule["host"] for rule in dig(obj, "spec.rules") or [] if rule.get("host")]
    return f"{','.join(hosts[:3])} + {len(hosts) - 3} more..." if len(hosts) > 3 else ",".join(hosts) or "*"


def _addresses(obj: Object) -> str:
    found = dig(obj, "status.loadBalancer.ingress") or []
    return ",".join(sorted({one.get("ip") or one.get("hostname") or "" for one in found}))


def _parameters(obj: Object) -> str:
    found = dig(obj, "spec.parameters")
    if not found:
        return "<none>"
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


def _quota(*, limits: bool) -> Any:
    def cell(obj: Object) -> str:
        hard, used = dig(obj, "status.hard") or {}, dig(obj, "status.used") or {}
        names = [name for name in sorted(hard) if name.startswith("limits.") == limits]
        return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)

    return cell


def _reference(obj: Object) -> str:
    target = dig(obj, "spec.scaleTargetRef") or {}
    return f"{target.get('kind')}/{target.get('name')}"


def _metric(spec: Object, status: Object) -> str:
    """One of an autoscaler's metrics as `current/target`."""
    kind = str(spec.get("type", ""))
    source = kind[:1].lower() + kind[1:]
    about, now = spec.get(source) or {}, dig(status, f"{source}.current") or {}
    target, named = about.get("target") or {}, "name" in about
    average = target.get("averageValue")
    if average is not None or source == "pods":
        text = f"{now.get('averageValue', '<unknown>')}/{average}"
        return f"{about['name']}: {text}" if named else text + ("" if source == "pods" else " (avg)")
    if not named:
        return f"{now.get('value', '<unknown>')}/{target.get('value')}"
    seen, wanted = (_percent(side.get("averageUtilization")) for side in (now, target))
    return f"{about['name']}: {seen or '<unknown>'}/{wanted or '<auto>'}"


def _percent(value: Any) -> str:
    return "" if value is None else f"{value}%"


def _targets(obj: Object) -> str:
    if share := dig(obj, "spec.targetCPUUtilizationPercentage"):  # autoscaling/v1
        return f"cpu: {_percent(dig(obj, 'status.currentCPUUtilizationPercentage')) or '<unknown>'}/{share}%"
    specs, statuses = dig(obj, "spec.metrics") or [], dig(obj, "status.currentMetrics") or []
    found = [_metric(spec, statuses[i] if i < len(statuses) else {}) for i, spec in enumerate(specs)]
    more = f" + {len(found) - 2} more..." if len(found) > 2 else ""
    return ", ".join(found[:2]) + more or "<none>"


def _param(obj: Object) -> str:
    found = dig(obj, "spec.paramRef") or {}
    return f"{found.get('namespace') or '*'}/{found['name']}" if found.get("name") else "<unset>"


def _param_kind(obj: Object) -> str:
    found = dig(obj, "spec.paramKind")
    return f"{found.get('apiVersion')}/{found.get('kind')}" if found else "<unset>"


def _service(obj: Object) -> str:
    found = dig(obj, "spec.service")
    return f"{found.get('namespace')}/{found.get('name')}" if found else "Local"


def _available(obj: Object) -> str:
    found = next((c for c in dig(obj, "status.conditions") or [] if c.get("type") == "Available"), None)
    if found is None:
        return "Unknown"
    return "True" if found.get("status") == "True" else f"{found.get('status')} ({found.get('reason')})"


def _request_condition(obj: Object) -> str:
    kinds = {c.get("type") for c in dig(obj, "status.conditions") or []}
    text = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    return (
        text
        + (",Failed" if "Failed" in kinds else "")
        + (",Issued" if dig(obj, "status.certificate") else "")
    )


def _duration(obj: Object) -> str:
    seconds = dig(obj, "spec.expirationSeconds")
    return "<none>" if seconds is None else cells.human_duration(float(seconds))


def _job(cell: Any) -> Any:
    """A cell of a CronJob's job template."""
    return lambda obj: cell(dig(obj, "spec.jobTemplate") or {})


def _pods(cell: Any) -> Any:
    """A cell of a PodTemplate, which has its template outside of a spec."""
    return lambda obj: cell({"spec": obj})


_FLOW = "flowcontrol.apiserver.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_NETWORKING = "networking.k8s.io"
_QUEUING = "spec.limited.limitResponse.queuing"
_VOLUME_CLASS = Column("VolumeAttributesClass", shown("spec.volumeAttributesClassName", "<unset>"))
_VOLUME_MODE = Column("VolumeMode", shown("spec.volumeMode", "<unset>"), wide=True)

STORED: Mapping[tuple[str, str], Sequence[Column]] = {
    ("", "LimitRange"): (Column("Created At", at("metadata.creationTimestamp"), "date"),),
    ("", "PodTemplate"): (
        Column("Containers", _pods(workloads.containers)),
        Column("Images", _pods(workloads.images)),
        Column("Pod Labels", lambda o: cells.pairs(dig(o, "template.metadata.labels"))),
    ),
    ("", "ReplicationController"): (
        *workloads.REPLICAS,
        _AGE,
        Column("Containers", workloads.containers, wide=True),
        Column("Images", workloads.images, wide=True),
        Column("Selector", lambda o: cells.pairs(dig(o, "spec.selector")), wide=True),
    ),
    ("", "ResourceQuota"): (
        Column("Request", _quota(limits=False)),
        Column("Limit", _quota(limits=True)),
        _AGE,
    ),
    ("", "PersistentVolume"): (
        Column("Capacity", shown("spec.capacity.storage", "0")),
        Column("Access Modes", _modes("spec.accessModes")),
        Column("Reclaim Policy", at("spec.persistentVolumeReclaimPolicy")),
        Column("Status", _phase),
        Column("Claim", _claim),
        Column("StorageClass", shown("spec.storageClassName", "")),
        _VOLUME_CLASS,
        Column("Reason", shown("status.reason", "")),
        _AGE,
        _VOLUME_MODE,
    ),
    ("", "PersistentVolumeClaim"): (
        Column("Status", _phase),
        Column("Volume", shown("spec.volumeName", "")),
        Column("Capacity", shown("status.capacity.storage", "")),
        Column("Access Modes", _modes("status.accessModes")),
        Column("StorageClass", shown("spec.storageClassName", "")),
        _VOLUME_CLASS,
        _AGE,
        _VOLUME_MODE,
    ),
    ("batch", "CronJob"): (
        Column("Schedule", at("spec.schedule")),
        Column("Timezone", shown("spec.timeZone", "<none>")),
        Column("Suspend", lambda o: str(dig(o, "spec.suspend")), "boolean"),
        Column("Active", lambda o: len(dig(o, "status.active") or ()), "integer"),
        Column("Last Schedule", lambda o: cells.since(dig(o, "status.lastScheduleTime"), "<none>")),
        _AGE,
        Column("Containers", _job(workloads.containers), wide=True),
        Column("Images", _job(workloads.images), wide=True),
        Column("Selector", _job(workloads.selector), wide=True),
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", lambda o: str(dig(o, "spec.minReplicas") or "<unset>")),
        Column("MaxPods", at("spec.maxReplicas")),
        Column("Replicas", lambda o: dig(o, "status.currentReplicas") or 0),
        _AGE,
    ),
    ("policy", "PodDisruptionBudget"): (
        Column("Min Available", shown("spec.minAvailable", "N/A")),
        Column("Max Unavailable", shown("spec.maxUnavailable", "N/A")),
        Column("Allowed Disruptions", lambda o: dig(o, "status.disruptionsAllowed") or 0, "integer"),
        _AGE,
    ),
    ("scheduling.k8s.io", "PriorityClass"): (
        Column("Value", at("value"), "integer"),
        Column("Global-Default", lambda o: bool(o.get("globalDefault")), "boolean"),
        _AGE,
        Column("PreemptionPolicy", at("preemptionPolicy")),
    ),
    ("node.k8s.io", "RuntimeClass"): (Column("Handler", at("handler")), _AGE),
    (_NETWORKING, "Ingress"): (
        Column("Class", shown("spec.ingressClassName", "<none>")),
        Column("Hosts", _hosts),
        Column("Address", _addresses),
        Column("Ports", lambda o: "80, 443" if dig(o, "spec.tls") else "80"),
        _AGE,
    ),
    (_NETWORKING, "IngressClass"): (
        Column("Controller", at("spec.controller")),
        Column("Parameters", _parameters),
        _AGE,
    ),
    (_NETWORKING, "NetworkPolicy"): (
        Column("Pod-Selector", lambda o: workloads.selector_text(dig(o, "spec.podSelector"))),
        _AGE,
    ),
    ("storage.k8s.io", "StorageClass"): (
        Column("Name", _class_name, format="name"),
        Column("Provisioner", at("provisioner")),
        Column("ReclaimPolicy", at("reclaimPolicy")),
        Column("VolumeBindingMode", at("volumeBindingMode")),
        Column("AllowVolumeExpansion", lambda o: bool(o.get("allowVolumeExpansion"))),
        _AGE,
    ),
    (_HOOKS, "ValidatingAdmissionPolicy"): (
        Column("Validations", lambda o: len(dig(o, "spec.validations") or ()), "integer"),
        Column("ParamKind", _param_kind),
        _AGE,
    ),
    (_HOOKS, "ValidatingAdmissionPolicyBinding"): (
        Column("PolicyName", at("spec.policyName")),
        Column("ParamRef", _param),
        _AGE,
    ),
    ("apiregistration.k8s.io", "APIService"): (
        Column("Service", _service),
        Column("Available", _available),
        _AGE,
    ),
    ("certificates.k8s.io", "CertificateSigningRequest"): (
        _AGE,
        Column("SignerName", shown("spec.signerName", "<none>")),
        Column("Requestor", shown("spec.username", "")),
        Column("RequestedDuration", _duration),
        Column("Condition", _request_condition),
    ),
    (_FLOW, "FlowSchema"): (
        Column("PriorityLevel", at("spec.priorityLevelConfiguration.name")),
        Column("MatchingPrecedence", at("spec.matchingPrecedence")),
        Column("DistinguisherMethod", shown("spec.distinguisherMethod.type", "<none>")),
        _AGE,
        Column("MissingPL", lambda o: "?"),
    ),
    (_FLOW, "PriorityLevelConfiguration"): (
        Column("Type", at("spec.type")),
        Column("NominalConcurrencyShares", shown("spec.limited.nominalConcurrencyShares", "<none>")),
        Column("Queues", shown(f"{_QUEUING}.queues", "<none>")),
        Column("HandSize", shown(f"{_QUEUING}.handSize", "<none>")),
        Column("QueueLengthLimit", shown(f"{_QUEUING}.queueLengthLimit", "<none>")),
        _AGE,
    ),
}
