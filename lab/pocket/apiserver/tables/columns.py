"""Printer columns of the built-in kinds, as `kubectl get` shows them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.pocket.apiserver.resources.events import to_core
from lab.pocket.apiserver.resources.model import Column

from . import cells, pods, workloads
from .cells import at, shown
from .stored import STORED

_AGE = Column("Age", cells.age)


def _count(path: str) -> Any:
    return lambda obj: len(cells.dig(obj, path) or ())


_RBAC = "rbac.authorization.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_CONTAINERS = (
    Column("Containers", workloads.containers, wide=True),
    Column("Images", workloads.images, wide=True),
    Column("Selector", workloads.selector, wide=True),
)

_EVENT = (
    Column("Last Seen", cells.last_seen),
    Column("Type", at("type")),
    Column("Reason", at("reason")),
    Column("Object", cells.event_object),
    Column("Subobject", shown("involvedObject.fieldPath", ""), wide=True),
    Column("Source", cells.event_source, wide=True),
    Column("Message", lambda o: str(o.get("message", "")).strip()),
    Column("First Seen", cells.first_seen, wide=True),
    Column("Count", cells.event_count, "integer", wide=True),
    Column("Name", at("metadata.name"), format="name", wide=True),
)
_BINDING = (
    Column("Role", cells.role_reference),
    _AGE,
    Column("Users", cells.subjects("User"), wide=True),
    Column("Groups", cells.subjects("Group"), wide=True),
    Column("ServiceAccounts", cells.subjects("ServiceAccount"), wide=True),
)


def _of_core(column: Column) -> Column:
    """A column of core events for those of events.k8s.io."""
    return replace(column, cell=lambda obj: column.cell(to_core(obj)))


COLUMNS: Mapping[tuple[str, str], Sequence[Column]] = {
    ("", "Pod"): (
        Column("Ready", pods.ready),
        Column("Status", pods.status),
        Column("Restarts", pods.restarts),
        _AGE,
        Column("IP", shown("status.podIP", "<none>"), wide=True),
        Column("Node", shown("spec.nodeName", "<none>"), wide=True),
        Column("Nominated Node", shown("status.nominatedNodeName", "<none>"), wide=True),
        Column("Readiness Gates", pods.readiness_gates, wide=True),
    ),
    ("", "Service"): (
        Column("Type", at("spec.type")),
        Column("Cluster-IP", shown("spec.clusterIP", "<none>")),
        Column("External-IP", cells.external_ip),
        Column("Port(s)", cells.service_ports),
        _AGE,
        Column("Selector", lambda o: cells.pairs(cells.dig(o, "spec.selector")), wide=True),
    ),
    ("", "Namespace"): (Column("Status", at("status.phase")), _AGE),
    ("", "Node"): (
        Column("Status", cells.node_status),
        Column("Roles", cells.node_roles),
        _AGE,
        Column("Version", at("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", cells.node_address("InternalIP"), wide=True),
        Column("External-IP", cells.node_address("ExternalIP"), wide=True),
        Column("OS-Image", shown("status.nodeInfo.osImage", "<unknown>"), wide=True),
        Column("Kernel-Version", shown("status.nodeInfo.kernelVersion", "<unknown>"), wide=True),
        Column("Container-Runtime", shown("status.nodeInfo.containerRuntimeVersion", "<unknown>"), wide=True),
    ),
    ("", "ConfigMap"): (Column("Data", cells.data_count), _AGE),
    ("", "Secret"): (Column("Type", at("type")), Column("Data", cells.data_count, "integer"), _AGE),
    ("", "ServiceAccount"): (Column("Secrets", _count("secrets"), "integer"), _AGE),
    ("", "Endpoints"): (Column("Endpoints", cells.endpoints), _AGE),
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): tuple(_of_core(column) for column in _EVENT),
    ("apps", "Deployment"): (
        Column("Ready", workloads.deployment_ready),
        Column("Up-to-date", lambda o: cells.dig(o, "status.updatedReplicas") or 0, "integer"),
        Column("Available", lambda o: cells.dig(o, "status.availableReplicas") or 0, "integer"),
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "ReplicaSet"): (
        *workloads.REPLICAS,
        _AGE,
        *_CONTAINERS,
    ),
    ("apps", "StatefulSet"): (Column("Ready", workloads.deployment_ready), _AGE, *_CONTAINERS[:2]),
    ("apps", "ControllerRevision"): (
        Column("Controller", cells.controller),
        Column("Revision", at("revision")),
        _AGE,
    ),
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
        Column("AddressType", at("addressType")),
        Column("Ports", cells.slice_ports),
        Column("Endpoints", cells.slice_endpoints),
        _AGE,
    ),
    ("coordination.k8s.io", "Lease"): (Column("Holder", at("spec.holderIdentity")), _AGE),
    (_RBAC, "Role"): (Column("Created At", at("metadata.creationTimestamp"), "date"),),
    (_RBAC, "ClusterRole"): (Column("Created At", at("metadata.creationTimestamp"), "date"),),
    (_RBAC, "RoleBinding"): _BINDING,
    (_RBAC, "ClusterRoleBinding"): _BINDING,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        Column("Created At", at("metadata.creationTimestamp"), "date"),
    ),
    (_HOOKS, "MutatingWebhookConfiguration"): (Column("Webhooks", _count("webhooks"), "integer"), _AGE),
    (_HOOKS, "ValidatingWebhookConfiguration"): (Column("Webhooks", _count("webhooks"), "integer"), _AGE),
    **STORED,
}
