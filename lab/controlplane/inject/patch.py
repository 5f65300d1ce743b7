"""The JSON patch that puts a proxy into a pod. Pure; called by the admission webhook.

The proxy is a native sidecar (an init container that keeps running) placed before the pod's own init
containers, so no container of the pod ever runs without it. Pods may ask for an ordinary container by
`config.alpha.linkerd.io/proxy-enable-native-sidecar: "false"`.
"""

import hashlib
from typing import Any

from lab.controlplane.identity import sds
from lab.controlplane.identity.names import TOKEN_AUDIENCE
from lab.controlplane.inject.settings import (
    ADMIN_PORT,
    CREATED_BY,
    INBOUND_PORT,
    INIT_CONTAINER,
    PROXY_CONTAINER,
    Config,
    Settings,
    settings_of,
    why_not,
)
from lab.kube.objects import Object, annotations, controller_of, labels

Operation = dict[str, Any]

TOKEN_VOLUME = "linkerd-identity-token"
CERTIFICATE_VOLUME = "linkerd-identity-end-entity"


def patch(pod: Object, namespace: Object, namespace_name: str, config: Config) -> list[Operation]:
    """The operations that inject the pod; none if it stays as it is."""
    if why_not(pod, namespace, namespace_name):
        return []
    settings = settings_of(pod, namespace, config)
    spec = pod.get("spec") or {}
    init, proxy = init_container(settings, config), proxy_container(settings, config)
    operations = [
        _map("/metadata/labels", labels(pod), _labels(pod, namespace_name)),
        _map("/metadata/annotations", annotations(pod), _annotations(namespace, pod, config)),
        _list("/spec/volumes", spec.get("volumes"), volumes()),
    ]
    if settings.native:
        return [*operations, _list("/spec/initContainers", spec.get("initContainers"), [init, proxy])]
    return [
        *operations,
        _list("/spec/initContainers", spec.get("initContainers"), [init]),
        _list("/spec/containers", spec.get("containers"), [proxy]),
    ]


def init_container(settings: Settings, config: Config) -> Object:
    """The step that redirects the pod's traffic to the proxy."""
    arguments = ["proxy-init"]
    if settings.skip_inbound:
        arguments.append(f"--inbound-ports-to-ignore={settings.skip_inbound}")
    if settings.skip_outbound:
        arguments.append(f"--outbound-ports-to-ignore={settings.skip_outbound}")
    return {
        "name": INIT_CONTAINER,
        "image": config.init_image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}, "runAsUser": 0},
    }


def proxy_container(settings: Settings, config: Config) -> Object:
    """The proxy; Ready once it is certified and has its first configuration."""
    container: Object = {
        "name": PROXY_CONTAINER,
        "image": config.proxy_image,
        "imagePullPolicy": "IfNotPresent",
        "env": environment(settings, config),
        "ports": [
            {"name": "linkerd-proxy", "containerPort": INBOUND_PORT},
            {"name": "linkerd-admin", "containerPort": ADMIN_PORT},
        ],
        "readinessProbe": _probe(period=10, failures=3),
        "volumeMounts": [
            {"name": CERTIFICATE_VOLUME, "mountPath": str(sds.DIRECTORY)},
            {"name": TOKEN_VOLUME, "mountPath": "/var/run/secrets/tokens"},
        ],
    }
    if settings.native:
        container["restartPolicy"] = "Always"
        container["startupProbe"] = _probe(period=1, failures=600)
    return container


def environment(settings: Settings, config: Config) -> list[Object]:
    """The launcher's configuration; names and places come from the downward API."""
    values = {
        "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS": config.trust_anchors,
        "LINKERD2_PROXY_LOG": settings.log_level,
        "LINKERD2_PROXY_ROLE": "gateway" if settings.gateway else "sidecar",
    }
    fields = {
        "_pod_name": "metadata.name",
        "_pod_ns": "metadata.namespace",
        "_pod_sa": "spec.serviceAccountName",
    }
    return [
        *({"name": key, "value": value} for key, value in values.items()),
        *({"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()),
    ]


def volumes() -> list[Object]:
    """The token that proves the pod's service account, and memory for its certificate."""
    token = {"path": TOKEN_VOLUME, "audience": TOKEN_AUDIENCE, "expirationSeconds": 86400}
    return [
        {"name": CERTIFICATE_VOLUME, "emptyDir": {"medium": "Memory"}},
        {"name": TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]


def _labels(pod: Object, namespace_name: str) -> dict[str, str]:
    added = {"linkerd.io/control-plane-ns": "linkerd", "linkerd.io/workload-ns": namespace_name}
    owner = controller_of(pod) or {}
    name, kind = str(owner.get("name", "")), str(owner.get("kind", ""))
    template_hash = labels(pod).get("pod-template-hash", "")
    if kind == "ReplicaSet" and template_hash and name.endswith(f"-{template_hash}"):
        kind, name = "Deployment", name.removesuffix(f"-{template_hash}")
    if name:
        added[f"linkerd.io/proxy-{kind.lower()}"] = name
    return added


def _annotations(namespace: Object, pod: Object, config: Config) -> dict[str, str]:
    # Settings of the namespace are written down on the pod: the control plane reads them there.
    inherited = {
        key: value
        for key, value in annotations(namespace).items()
        if key.startswith(("config.linkerd.io/", "config.alpha.linkerd.io/")) and key not in annotations(pod)
    }
    return {
        **inherited,
        CREATED_BY: f"multicluster-lab/proxy-injector {config.version}",
        "linkerd.io/proxy-version": config.version,
        "linkerd.io/trust-root-sha256": _digest(config.trust_anchors),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _probe(*, period: int, failures: int) -> Object:
    action = {"path": "/ready", "port": ADMIN_PORT}
    return {"httpGet": action, "periodSeconds": period, "timeoutSeconds": 1, "failureThreshold": failures}


def _map(path: str, existing: dict[str, str], added: dict[str, str]) -> Operation:
    return {"op": "add", "path": path, "value": {**existing, **added}}


def _list(path: str, existing: list[Object] | None, first: list[Object]) -> Operation:
    return {"op": "add", "path": path, "value": [*first, *(existing or [])]}
