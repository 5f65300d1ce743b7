"""Printer columns of the built-in kinds, as `kubectl get` shows them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.pocket.apiserver.resources.model import Column

from . import cells, pods, workloads

_AGE = Column("Age", cells.age)


def _at(path: str) -> Any:
    return lambda obj: cells.dig(obj, path)


def _count(path: str) -> Any:
    return lambda obj: len(cells.dig(obj, path) or ())


_RBAC = "rbac.authorization.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_CONTAINERS = (
    Column("Containers", workloads.containers, wide=True),
    Column("Images", workloads.images, wide=True),
    Column("Selector", workloads.selector, wide=True),
)

COLUMNS: Mapping[tuple[str, str], Sequence[Column]] = {
    ("", "Pod"): (
        Column("Ready", pods.ready),
        Column("Status", pods.status),
        Column("Restarts", pods.restarts),
        _AGE,
        Column("IP", lambda o: cells.dig(o, "status.podIP") or "<none>", wide=True),
        Column("Node", lambda o: cells.dig(o, "spec.nodeName") or "<none>", wide=True),
        Column("Nominated Node", lambda o: "<none>", wide=True),
        Column("Readiness Gates", lambda o: "<none>", wide=True),
    ),
    ("", "Service"): (
        Column("Type", _at("spec.type")),
        Column("Cluster-IP", lambda o: cells.dig(o, "spec.clusterIP") or "<none>"),
        Column("External-IP", cells.external_ip),
        Column("Port(s)", cells.service_ports),
        _AGE,
        Column("Selector", lambda o: cells.pairs(cells.dig(o, "spec.selector")), wide=True),
    ),
    ("", "Namespace"): (Column("Status", _at("status.phase")), _AGE),
    ("", "Node"): (
        Column("Status", cells.node_status),
        Column("Roles", cells.node_roles),
        _AGE,
        Column("Version", _at("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", cells.node_address, wide=True),
        Column("External-IP", lambda o: "<none>", wide=True),
        Column("OS-Image", lambda o: cells.dig(o, "status.nodeInfo.osImage") or "<unknown>", wide=True),
        Column(
            "Kernel-Version",
            lambda o: cells.dig(o, "status.nodeInfo.kernelVersion") or "<unknown>",
            wide=True,
        ),
        Column(
            "Container-Runtime",
            lambda o: cells.dig(o, "status.nodeInfo.containerRuntimeVersion") or "<unknown>",
            wide=True,
        ),
    ),
    ("", "ConfigMap"): (Column("Data", cells.data_count), _AGE),
    ("", "Secret"): (Column("Type", _at("type")), Column("Data", cells.data_count, "integer"), _AGE),
    ("", "ServiceAccount"): (Column("Secrets", _count("secrets"), "integer"), _AGE),
    ("", "Endpoints"): (Column("Endpoints", cells.endpoints), _AGE),
    ("", "Event"): (
        Column("Last Seen", cells.last_seen),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", cells.event_object),
        Column("Source", lambda o: cells.dig(o, "source.component") or "", wide=True),
        Column("Message", lambda o: str(o.get("message", "")).strip()),
        Column("Count", lambda o: o.get("count") or 1, wide=True),
    ),
    ("apps", "Deployment"): (
        Column("Ready", workloads.deployment_ready),
        Column("Up-to-date", lambda o: cells.dig(o, "status.updatedReplicas") or 0, "integer"),
        Column("Available", lambda o: cells.dig(o, "status.availableReplicas") or 0, "integer"),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "ReplicaSet"): (
        Column("Desired", lambda o: cells.dig(o, "spec.replicas") or 0, "integer"),
        Column("Current", lambda o: cells.dig(o, "status.replicas") or 0, "integer"),
        Column("Ready", lambda o: cells.dig(o, "status.readyReplicas") or 0, "integer"),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "StatefulSet"): (Column("Ready", workloads.deployment_ready), _AGE, *_CONTAINERS[:2]),
    ("apps", "DaemonSet"): (
        Column("Desired", lambda o: cells.dig(o, "status.desiredNumberScheduled") or 0, "integer"),
        Column("Current", lambda o: cells.dig(o, "status.currentNumberScheduled") or 0, "integer"),
        Column("Ready", lambda o: cells.dig(o, "status.numberReady") or 0, "integer"),
        Column("Up-to-date", lambda o: cells.dig(o, "status.updatedNumberScheduled") or 0, "integer"),
        Column("Available", lambda o: cells.dig(o, "status.numberAvailable") or 0, "integer"),
        Column("Node Selector", lambda o: cells.pairs(cells.dig(o, "spec.template.spec.nodeSelector"))),
        _AGE,
        *_CONTAINERS,
    ),
    ("batch", "Job"): (
        Column("Status", workloads.job_status),
        Column("Completions", workloads.job_completions),
        Column("Duration", workloads.job_duration),
        _AGE,
        *_CONTAINERS,
    ),
    ("discovery.k8s.io", "EndpointSlice"): (
        Column("AddressType", _at("addressType")),
        Column("Ports", cells.slice_ports),
        Column("Endpoints", cells.slice_endpoints),
        _AGE,
    ),
    ("coordination.k8s.io", "Lease"): (Column("Holder", _at("spec.holderIdentity")), _AGE),
    (_RBAC, "Role"): (Column("Created At", _at("metadata.creationTimestamp")),),
    (_RBAC, "ClusterRole"): (Column("Created At", _at("metadata.creationTimestamp")),),
    (_RBAC, "RoleBinding"): (Column("Role", cells.role_reference), _AGE),
    (_RBAC, "ClusterRoleBinding"): (Column("Role", cells.role_reference), _AGE),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Column("Created At", _at("metadata.creationTimestamp")),
    ),
    (_HOOKS, "MutatingWebhookConfiguration"): (Column("Webhooks", _count("webhooks"), "integer"), _AGE),
    (_HOOKS, "ValidatingWebhookConfiguration"): (Column("Webhooks", _count("webhooks"), "integer"), _AGE),
}
