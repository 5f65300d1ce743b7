"""The resource table: one row per built-in kind. Adding a kind is adding a row.

Printer columns and validation are looked up by kind in their own tables, so that a row stays a line.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lab.pocket.apiserver.defaults import core, pods, workloads
from lab.pocket.apiserver.tables.columns import COLUMNS
from lab.pocket.apiserver.validate.kinds import VALIDATORS

from .events import to_core, to_events_group
from .model import CRUD, Conversion, Resource, Scale, no_change, no_default

RBAC = "rbac.authorization.k8s.io"
HOOKS = "admissionregistration.k8s.io"
SCALED = ("status", "scale")
POD_SUBRESOURCES = (
    "status", "log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "ephemeralcontainers",
)  # fmt: skip

DEFAULTS: Mapping[tuple[str, str], Callable[[dict[str, Any]], None]] = {
    ("", "Pod"): pods.pod,
    ("", "Namespace"): core.namespace,
    ("", "Secret"): core.secret,
    ("", "Service"): core.service,
    ("", "Endpoints"): core.endpoints,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): workloads.job,
    ("discovery.k8s.io", "EndpointSlice"): core.endpoint_slice,
    (RBAC, "RoleBinding"): core.binding,
    (RBAC, "ClusterRoleBinding"): core.binding,
    (HOOKS, "MutatingWebhookConfiguration"): core.webhooks,
    (HOOKS, "ValidatingWebhookConfiguration"): core.webhooks,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): core.custom_resource_definition,
}


def _row(group: str, kind: str, plural: str, **more: Any) -> Resource:
    version = more.pop("version", "v1")
    more.setdefault("singular", kind.lower())
    return Resource(
        group,
        version,
        kind,
        plural,
        default=DEFAULTS.get((group, kind), no_default),
        validate=VALIDATORS.get((group, kind), no_change),
        columns=COLUMNS.get((group, kind), ()),
        **more,
    )


def _review(group: str, kind: str, plural: str, *, namespaced: bool = False) -> Resource:
    """A kind that is answered, never stored."""
    return _row(group, kind, plural, namespaced=namespaced, verbs=("create",))


def table() -> tuple[Resource, ...]:
    """All built-in rows, in the order discovery shows them."""
    events = _row(
        "", "Event", "events", short=("ev",), counts_generation=False,
        fields={"involvedObject.*": "", "reason": "", "type": "", "source": "", "reportingComponent": ""},
    )  # fmt: skip
    return (*_core(), events, *_apps(), *_others(events))


def _core() -> tuple[Resource, ...]:
    plain: dict[str, Any] = {"counts_generation": False}
    return (
        _row("", "ConfigMap", "configmaps", short=("cm",), **plain),
        _row("", "Endpoints", "endpoints", short=("ep",), **plain),
        _row(
            "", "Namespace", "namespaces", short=("ns",), namespaced=False,
            subresources=("status", "finalize"), fields={"status.phase": ""}, **plain,
            verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        ),
        _row(
            "", "Node", "nodes", short=("no",), namespaced=False, subresources=("status", "proxy"),
            fields={"spec.unschedulable": ""}, **plain,
        ),
        _row(
            "", "Pod", "pods", short=("po",), categories=("all",), subresources=POD_SUBRESOURCES,
            fields={
                "spec.nodeName": "", "status.phase": "", "spec.restartPolicy": "", "status.podIP": "",
                "spec.serviceAccountName": "", "spec.schedulerName": "", "status.nominatedNodeName": "",
                "spec.hostNetwork": "",
            },
        ),
        _row("", "PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",), subresources=("status",)),
        _row("", "Secret", "secrets", fields={"type": ""}, **plain),
        _row(
            "", "ServiceAccount", "serviceaccounts", short=("sa",), subresources=("token",), **plain
        ),
        _row(
            "", "Service", "services", short=("svc",), categories=("all",),
            subresources=("status", "proxy"), fields={"spec.clusterIP": "", "spec.type": ""}, **plain,
        ),
    )  # fmt: skip


def _apps() -> tuple[Resource, ...]:
    scaled: dict[str, Any] = {"categories": ("all",), "subresources": SCALED}
    return (
        _row("apps", "Deployment", "deployments", short=("deploy",), scale=Scale(selector=""), **scaled),
        _row(
            "apps", "ReplicaSet", "replicasets", short=("rs",), scale=Scale(selector=""), **scaled,
            fields={"status.replicas": ""},
        ),
        _row("apps", "StatefulSet", "statefulsets", short=("sts",), scale=Scale(selector=""), **scaled),
        _row(
            "apps", "DaemonSet", "daemonsets", short=("ds",), categories=("all",), subresources=("status",)
        ),
        _row("batch", "Job", "jobs", categories=("all",), subresources=("status",)),
    )  # fmt: skip


def _others(events: Resource) -> tuple[Resource, ...]:
    plain: dict[str, Any] = {"counts_generation": False}
    cluster: dict[str, Any] = {"namespaced": False}
    return (
        _row(
            "events.k8s.io", "Event", "events", short=("ev",), **plain,
            conversion=Conversion(to_events_group, to_core), storage_group="",
        ),
        _row("discovery.k8s.io", "EndpointSlice", "endpointslices"),
        _row("coordination.k8s.io", "Lease", "leases", **plain),
        _row(RBAC, "Role", "roles", **plain),
        _row(RBAC, "RoleBinding", "rolebindings", **plain),
        _row(RBAC, "ClusterRole", "clusterroles", **cluster, **plain),
        _row(RBAC, "ClusterRoleBinding", "clusterrolebindings", **cluster, **plain),
        _row(
            "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
            short=("crd", "crds"), categories=("api-extensions",), subresources=("status",), **cluster,
        ),
        _row(
            HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
            categories=("api-extensions",), **cluster,
        ),
        _row(
            HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations",
            categories=("api-extensions",), **cluster,
        ),
        _review("authentication.k8s.io", "TokenReview", "tokenreviews"),
        _review("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
        _review("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
        _review("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
        _review("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
        _review(
            "authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews", namespaced=True
        ),
    )  # fmt: skip


__all__ = ["CRUD", "table"]
