"""All objects that make one link, in its source cluster. Pure.

Names follow the profile, as Linkerd's versions differ: "latest" has managed controllers, 2.14 one mirror
per link.
"""

from dataclasses import dataclass

import yaml

from lab.controlplane.identity.names import CLUSTER_DOMAIN, LINKERD_NAMESPACE, TRUST_DOMAIN
from lab.kube.kinds import (
    CLUSTER_ROLE_BINDINGS,
    DEPLOYMENTS,
    LEASES,
    LINKS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Kind,
)
from lab.kube.objects import Object
from lab.mesh.builtin.control_plane import encoded
from lab.mesh.protocol import LinkSpec

NAMESPACE = "linkerd-multicluster"
GATEWAY_IDENTITY = f"linkerd-gateway.{NAMESPACE}.serviceaccount.identity.linkerd.{TRUST_DOMAIN}"
ACCESS_ROLE = "linkerd-multicluster-controller-access-local-resources"
CREATION_ROLE = "linkerd-multicluster-controller-create-namespaces"
CLUSTER_NAME = "multicluster.linkerd.io/cluster-name"
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Target:
    """What the source must know of the target cluster; no addresses = no gateway."""

    name: str
    api_url: str
    api_ca: str
    token: str
    gateway_addresses: tuple[str, ...] = ()


def controller_name(target: str, profile: str) -> str:
    return f"linkerd-service-mirror-{target}" if profile == "2.14" else f"controller-{target}"


def objects(target: Target, spec: LinkSpec, profile: str) -> list[Object]:
    """Credentials, Link and controller."""
    return [*credentials(target), link(target, spec), *controller(target.name, spec, profile)]


def credentials(target: Target) -> list[Object]:
    """The target's kubeconfig, for the mirror and for destination."""
    data = {"kubeconfig": encoded(kubeconfig(target))}
    secret = f"cluster-credentials-{target.name}"
    body = {"apiVersion": "v1", "kind": "Secret", "type": "mirror.linkerd.io/remote-kubeconfig", "data": data}
    about = {
        "labels": {CLUSTER_NAME: target.name},
        "annotations": {
            "multicluster.linkerd.io/trust-domain": TRUST_DOMAIN,
            "multicluster.linkerd.io/cluster-domain": CLUSTER_DOMAIN,
        },
    }
    return [
        {**body, "metadata": {"name": secret, "namespace": NAMESPACE}},
        {**body, "metadata": {"name": secret, "namespace": LINKERD_NAMESPACE, **about}},
    ]


def kubeconfig(target: Target) -> str:
    """A kubeconfig that reaches the target's API from pods of another cluster."""
    user = f"linkerd-service-mirror-remote-access-{target.name}"
    cluster = {"server": target.api_url, "certificate-authority-data": encoded(target.api_ca)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": target.name, "cluster": cluster}],
            "users": [{"name": user, "user": {"token": target.token}}],
            "contexts": [{"name": target.name, "context": {"cluster": target.name, "user": user}}],
            "current-context": target.name,
        },
        sort_keys=True,
    )


def link(target: Target, spec: LinkSpec) -> Object:
    """The Link, with a selector for each mode that it carries."""
    selectors = {
        "gateway": ("selector", {"mirror.linkerd.io/exported": "true"}),
        "flat": ("remoteDiscoverySelector", {"mirror.linkerd.io/exported": "remote-discovery"}),
        "federated": ("federatedServiceSelector", {"mirror.linkerd.io/federated": "member"}),
    }
    wanted = {key: {"matchLabels": labels} for mode, (key, labels) in selectors.items() if mode in spec.modes}
    has_gateway = spec.has_gateway and bool(target.gateway_addresses)
    probe = {"path": "/ready", "port": "4191", "period": "3s"}
    gateway = {
        "gatewayAddress": ",".join(target.gateway_addresses),
        "gatewayPort": "4143",
        "gatewayIdentity": GATEWAY_IDENTITY,
        "probeSpec": probe,
    }
    return {
        "apiVersion": LINKS.api_version,
        "kind": "Link",
        "metadata": {"name": target.name, "namespace": NAMESPACE},
        "spec": {
            "targetClusterName": target.name,
            "targetClusterDomain": CLUSTER_DOMAIN,
            "targetClusterLinkerdNamespace": LINKERD_NAMESPACE,
            "clusterCredentialsSecret": f"cluster-credentials-{target.name}",
            **(gateway if has_gateway else {"gatewayAddress": ""}),
            **wanted,
            **({"excludedLabels": list(spec.excluded_labels)} if spec.excluded_labels else {}),
            **({"excludedAnnotations": list(spec.excluded_annotations)} if spec.excluded_annotations else {}),
        },
    }


def controller(target: str, spec: LinkSpec, profile: str) -> list[Object]:
    """The service mirror of the link, with the least it needs."""
    called = controller_name(target, profile)
    subject = {"kind": "ServiceAccount", "name": called, "namespace": NAMESPACE}
    head = {"apiVersion": f"{RBAC}/v1"}
    rules = [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [f"cluster-credentials-{target}"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": ["multicluster.linkerd.io"], "resources": ["links"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": ["multicluster.linkerd.io"],
            "resources": ["links/status"],
            "verbs": ["get", "patch", "update"],
        },
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "verbs": ["get", "create", "update", "patch"],
        },
    ]
    role_ref = {"apiGroup": RBAC, "kind": "Role", "name": _role(target)}
    access_ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ACCESS_ROLE}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(called)},
        {**head, "kind": "Role", "metadata": _meta(_role(target)), "rules": rules},
        {
            **head,
            "kind": "RoleBinding",
            "metadata": _meta(_role(target)),
            "roleRef": role_ref,
            "subjects": [subject],
        },
        {
            **head,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _binding(target)},
            "roleRef": access_ref,
            "subjects": [subject],
        },
        *([_namespace_creation(target, subject)] if spec.creates_namespaces else []),
        _deployment(called, target, spec, profile),
    ]


def _namespace_creation(target: str, subject: Object) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _creation_binding(target)},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": CREATION_ROLE},
        "subjects": [subject],
    }


def removals(target: str, profile: str) -> list[tuple[Kind, str, str]]:
    """Everything that `objects` made, and what the controller made for itself, as (kind, namespace, name)."""
    called = controller_name(target, profile)
    return [
        (LINKS, NAMESPACE, target),
        (DEPLOYMENTS, NAMESPACE, called),
        (CLUSTER_ROLE_BINDINGS, "", _binding(target)),
        (CLUSTER_ROLE_BINDINGS, "", _creation_binding(target)),
        (ROLE_BINDINGS, NAMESPACE, _role(target)),
        (ROLES, NAMESPACE, _role(target)),
        (SERVICE_ACCOUNTS, NAMESPACE, called),
        (SECRETS, NAMESPACE, f"cluster-credentials-{target}"),
        (SECRETS, LINKERD_NAMESPACE, f"cluster-credentials-{target}"),
        (LEASES, NAMESPACE, f"service-mirror-write-{target}"),
    ]


def outdated(target: str, spec: LinkSpec, profile: str) -> list[tuple[Kind, str, str]]:
    """What the link has from other settings or another version, and must not keep."""
    called = controller_name(target, "latest" if profile == "2.14" else "2.14")
    found = [(DEPLOYMENTS, NAMESPACE, called), (SERVICE_ACCOUNTS, NAMESPACE, called)]
    if not spec.creates_namespaces:
        found.append((CLUSTER_ROLE_BINDINGS, "", _creation_binding(target)))
    return found


def _role(target: str) -> str:
    return f"controller-read-remote-creds-{target}"


def _binding(target: str) -> str:
    return f"{ACCESS_ROLE}-{target}"


def _creation_binding(target: str) -> str:
    return f"{CREATION_ROLE}-{target}"


def _meta(called: str) -> Object:
    return {"name": called, "namespace": NAMESPACE}


def _deployment(called: str, target: str, spec: LinkSpec, profile: str) -> Object:
    labels = {"component": "controller", "mirror.linkerd.io/cluster-name": target}
    switches = [f"--emulate={behaviour}" for behaviour in spec.emulate]
    switches += ["--enable-headless-services"] if spec.headless else []
    switches += ["--enable-namespace-creation"] if spec.creates_namespaces else []
    container = {
        "name": "controller",
        "image": "multicluster.lab/controlplane",
        "args": ["service-mirror", f"--link={target}", f"--profile={profile}", *switches],
        "ports": [{"name": "admin-http", "containerPort": 9999}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 9999}, "failureThreshold": 7},
    }
    # Its API calls go past the proxy: the mirror must work when the mesh's control plane does not.
    notes = {"linkerd.io/inject": "enabled", "config.linkerd.io/skip-outbound-ports": "443,6443"}
    template = {
        "metadata": {"labels": {**labels, "linkerd.io/extension": "multicluster"}, "annotations": notes},
        "spec": {
            "serviceAccountName": called,
            "terminationGracePeriodSeconds": 5,
            "containers": [container],
        },
    }
    body = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**_meta(called), "labels": labels},
        "spec": body,
    }
