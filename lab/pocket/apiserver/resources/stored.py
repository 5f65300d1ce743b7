"""Rows of kinds that users' manifests contain and a lab does not act on: stored, watched, warned about.

Whoever makes the lab act on one of them takes its `idle` away.
"""

from typing import Any

from .autoscaling import to_v1, to_v2
from .model import Conversion, Resource, Scale
from .row import HOOKS, row

_STATUS: dict[str, Any] = {"subresources": ("status",)}
_CLUSTER: dict[str, Any] = {"namespaced": False}
_PLAIN: dict[str, Any] = {"counts_generation": False}
_SHOWN: dict[str, Any] = {"shows_deleted": True}


def rows() -> tuple[Resource, ...]:
    return (*_core(), *_scheduling(), *_networking(), *_storage(), *_extension())


def _core() -> tuple[Resource, ...]:
    return (
        row("", "LimitRange", "limitranges", short=("limits",), creates_on_update=True, **_PLAIN,
            idle="it gives pods no default resources and refuses none"),
        row("", "PodTemplate", "podtemplates", **_SHOWN, idle="nothing makes pods from it"),
        row("", "ReplicationController", "replicationcontrollers", short=("rc",), categories=("all",),
            subresources=("status", "scale"), scale=Scale(selector="", labels="spec.selector"),
            fields={"status.replicas": ""}, idle="it makes no pods; use a Deployment"),
        row("", "ResourceQuota", "resourcequotas", short=("quota",), **_STATUS, **_PLAIN, **_SHOWN,
            idle="nothing is counted or refused"),
    )  # fmt: skip


def _scheduling() -> tuple[Resource, ...]:
    autoscaler: dict[str, Any] = {
        "short": ("hpa",), "categories": ("all",), "idle": "it scales nothing, as the lab has no metrics",
        **_STATUS, **_PLAIN,
    }  # fmt: skip
    return (
        row("batch", "CronJob", "cronjobs", short=("cj",), categories=("all",), **_STATUS,
            idle="it starts no Jobs; `kubectl create job --from=cronjob/NAME` starts one"),
        row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", version="v2", **autoscaler),
        row("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", version="v1",
            storage_version="v2", conversion=Conversion(to_v1, to_v2), **autoscaler),
        row("policy", "PodDisruptionBudget", "poddisruptionbudgets", short=("pdb",), unconditional=False,
            **_STATUS, idle="evictions succeed whatever it says"),
        row("scheduling.k8s.io", "PriorityClass", "priorityclasses", short=("pc",), **_CLUSTER,
            idle="pods have no priority"),
        row("node.k8s.io", "RuntimeClass", "runtimeclasses", unconditional=False, creates_on_update=True,
            **_CLUSTER, **_PLAIN, idle="pods run as processes, whatever their runtime class"),
    )  # fmt: skip


def _networking() -> tuple[Resource, ...]:
    group = "networking.k8s.io"
    return (
        row(group, "Ingress", "ingresses", short=("ing",), **_STATUS,
            idle="no controller serves it; use a Gateway and an HTTPRoute"),
        row(group, "IngressClass", "ingressclasses", **_CLUSTER, idle="no controller serves it"),
        row(group, "NetworkPolicy", "networkpolicies", short=("netpol",),
            idle="no traffic is blocked; the mesh's policies are in force"),
    )  # fmt: skip


def _storage() -> tuple[Resource, ...]:
    return (
        row("", "PersistentVolume", "persistentvolumes", short=("pv",), **_CLUSTER, **_STATUS, **_PLAIN,
            **_SHOWN, idle="no volume is made or mounted"),
        row("storage.k8s.io", "StorageClass", "storageclasses", short=("sc",), **_CLUSTER, **_PLAIN,
            **_SHOWN, idle="nothing provisions volumes"),
    )  # fmt: skip


def _extension() -> tuple[Resource, ...]:
    flow, policy = "flowcontrol.apiserver.k8s.io", "no request is checked against it; use a webhook"
    hook: dict[str, Any] = {"categories": ("api-extensions",), "unconditional": False, **_CLUSTER}
    return (
        row(HOOKS, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", **_STATUS, **hook,
            idle=policy),
        row(HOOKS, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", **hook,
            idle=policy),
        row("apiregistration.k8s.io", "APIService", "apiservices", categories=("api-extensions",),
            unconditional=False, **_STATUS, **_CLUSTER, **_PLAIN, idle="no request is passed on to it"),
        row("certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", short=("csr",),
            subresources=("status", "approval"), fields={"spec.signerName": ""}, **_CLUSTER, **_PLAIN,
            idle="no signer issues a certificate"),
        row(flow, "FlowSchema", "flowschemas", **_STATUS, **_CLUSTER, idle="requests are not queued"),
        row(flow, "PriorityLevelConfiguration", "prioritylevelconfigurations", **_STATUS, **_CLUSTER,
            idle="requests are not queued"),
    )  # fmt: skip
