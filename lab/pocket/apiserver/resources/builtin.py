"""The resource table: one row per built-in kind. Adding a kind is adding a row.

Defaults, printer columns and validation are looked up by kind in their own tables (row.py), so that a row
stays a line. Kinds that are only stored are in stored.py.
"""

from typing import Any

from . import stored
from .events import to_core, to_events_group
from .model import CRUD, Conversion, Resource, Scale
from .row import HOOKS, RBAC, row

SCALED = ("status", "scale")
POD_SUBRESOURCES = (
    "status", "log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "ephemeralcontainers",
    "resize",
)  # fmt: skip
_REFERENCE = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")


def _review(group: str, kind: str, plural: str, *, namespaced: bool = False) -> Resource:
    """A kind that is answered, never stored."""
    return row(group, kind, plural, namespaced=namespaced, verbs=("create",))


def table() -> tuple[Resource, ...]:
    """All built-in rows, in the order discovery shows them."""
    events = row(
        "", "Event", "events", short=("ev",), counts_generation=False, creates_on_update=True,
        fields={
            **{f"involvedObject.{name}": "" for name in _REFERENCE},
            "reason": "", "type": "", "source": "source.component", "reportingComponent": "",
        },
    )  # fmt: skip
    return (*_core(), events, *_apps(), *_others(), *stored.rows())


def _core() -> tuple[Resource, ...]:
    plain: dict[str, Any] = {"counts_generation": False}
    return (
        row("", "ConfigMap", "configmaps", short=("cm",), **plain),
        row("", "Endpoints", "endpoints", short=("ep",), creates_on_update=True, **plain),
        row(
            "", "Namespace", "namespaces", short=("ns",), namespaced=False,
            subresources=("status", "finalize"), fields={"status.phase": ""}, shows_deleted=True, **plain,
            verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        ),
        row(
            "", "Node", "nodes", short=("no",), namespaced=False, subresources=("status", "proxy"),
            fields={"spec.unschedulable": ""}, **plain,
        ),
        row(
            "", "Pod", "pods", short=("po",), categories=("all",), subresources=POD_SUBRESOURCES,
            shows_deleted=True,
            fields={
                "spec.nodeName": "", "status.phase": "", "spec.restartPolicy": "", "status.podIP": "",
                "spec.serviceAccountName": "", "spec.schedulerName": "", "status.nominatedNodeName": "",
                "spec.hostNetwork": "",
            },
        ),
        row(
            "", "PersistentVolumeClaim", "persistentvolumeclaims", short=("pvc",), subresources=("status",),
            shows_deleted=True, **plain,
        ),
        row("", "Secret", "secrets", fields={"type": ""}, **plain),
        row(
            "", "ServiceAccount", "serviceaccounts", short=("sa",), subresources=("token",),
            shows_deleted=True, **plain,
        ),
        row(
            "", "Service", "services", short=("svc",), categories=("all",),
            subresources=("status", "proxy"), fields={"spec.clusterIP": "", "spec.type": ""},
            creates_on_update=True, shows_deleted=True, **plain,
        ),
    )  # fmt: skip


def _apps() -> tuple[Resource, ...]:
    scaled: dict[str, Any] = {"categories": ("all",), "subresources": SCALED}
    return (
        row("apps", "Deployment", "deployments", short=("deploy",), scale=Scale(selector=""), **scaled),
        row("apps", "ReplicaSet", "replicasets", short=("rs",), scale=Scale(selector=""), **scaled),
        row("apps", "StatefulSet", "statefulsets", short=("sts",), scale=Scale(selector=""), **scaled),
        row(
            "apps", "DaemonSet", "daemonsets", short=("ds",), categories=("all",), subresources=("status",)
        ),
        row("apps", "ControllerRevision", "controllerrevisions", counts_generation=False),
        row(
            "batch", "Job", "jobs", categories=("all",), subresources=("status",),
            fields={"status.successful": "status.succeeded"},
        ),
    )  # fmt: skip


def _others() -> tuple[Resource, ...]:
    plain: dict[str, Any] = {"counts_generation": False}
    rbac: dict[str, Any] = {"creates_on_update": True, **plain}
    cluster: dict[str, Any] = {"namespaced": False}
    extension: dict[str, Any] = {"categories": ("api-extensions",), "unconditional": False, **cluster}
    return (
        row(
            "events.k8s.io", "Event", "events", short=("ev",), creates_on_update=True, **plain,
            fields={
                **{f"regarding.{name}": "" for name in _REFERENCE},
                "reason": "", "type": "", "reportingController": "",
            },
            conversion=Conversion(to_events_group, to_core), storage_group="",
        ),
        row("discovery.k8s.io", "EndpointSlice", "endpointslices"),
        row(
            "coordination.k8s.io", "Lease", "leases", unconditional=False, creates_on_update=True, **plain
        ),
        row(RBAC, "Role", "roles", **rbac),
        row(RBAC, "RoleBinding", "rolebindings", **rbac),
        row(RBAC, "ClusterRole", "clusterroles", **cluster, **rbac),
        row(RBAC, "ClusterRoleBinding", "clusterrolebindings", **cluster, **rbac),
        row(
            "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
            short=("crd", "crds"), subresources=("status",), **extension,
        ),
        row(HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", **extension),
        row(HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", **extension),
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
