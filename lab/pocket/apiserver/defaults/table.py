"""Which defaults belong to which built-in kind. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from . import core, pods, stored, workloads

RBAC = "rbac.authorization.k8s.io"
HOOKS = "admissionregistration.k8s.io"

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
    ("", "LimitRange"): stored.limit_range,
    ("", "PersistentVolume"): stored.persistent_volume,
    ("", "PersistentVolumeClaim"): stored.persistent_volume_claim,
    ("", "PodTemplate"): stored.pod_template,
    ("", "ReplicationController"): stored.replication_controller,
    (HOOKS, "ValidatingAdmissionPolicy"): stored.admission_policy,
    (HOOKS, "ValidatingAdmissionPolicyBinding"): stored.admission_policy_binding,
    ("apiregistration.k8s.io", "APIService"): stored.api_service,
    ("autoscaling", "HorizontalPodAutoscaler"): stored.autoscaler,
    ("batch", "CronJob"): stored.cron_job,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): stored.flow_schema,
    ("networking.k8s.io", "Ingress"): stored.ingress,
    ("networking.k8s.io", "IngressClass"): stored.ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): stored.network_policy,
    ("policy", "PodDisruptionBudget"): stored.disruption_budget,
    ("scheduling.k8s.io", "PriorityClass"): stored.priority_class,
    ("storage.k8s.io", "StorageClass"): stored.storage_class,
}
