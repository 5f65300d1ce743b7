"""The Kubernetes objects that the measurements put into a lab. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from lab.controlplane.identity.names import workload_name
from lab.kube.objects import Object
from lab.ops.bench.chain import APP_PORT, CERTIFICATES, Message

SPACE = "bench"
ENVOY = "bench.lab/envoy"
IDLE = "bench.lab/idle"
PROBER = "bench.lab/prober"
PATH_SERVER = "bench.lab/path-server"
STUBBORN = "bench.lab/stubborn"
TLS = "bench-tls"
_CONFIG = "/etc/bench"
_CONTROL_PLANE = "multicluster.lab/controlplane"


def images(envoy: str) -> dict[str, tuple[str, ...]]:
    """The programs behind the images. `stubborn` is Envoy behind a shell that ignores SIGTERM: it keeps
    answering until it is killed, so that callers leave it because they were told to.
    """
    return {
        ENVOY: (envoy, "--concurrency", "1", "--log-level", "warn", "--disable-hot-restart"),
        STUBBORN: (
            "sh",
            "-c",
            f'trap "" TERM; {envoy} --concurrency 1 --log-level warn --disable-hot-restart "$@" & wait',
            "sh",
        ),
        IDLE: ("sleep", "infinity"),
        PROBER: ("lab.ops.bench.prober:main",),
        PATH_SERVER: ("lab.ops.bench.pathprobe:serve",),
    }


def namespace() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": SPACE, "annotations": {"linkerd.io/inject": "enabled"}},
    }


def annotated(obj: Object, notes: Mapping[str, str]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "annotations": dict(notes)}}


def service(
    name: str, labels: Mapping[str, str], port: int = APP_PORT, app: str = "", kind: str = "ClusterIP"
) -> Object:
    """A Service at `port` (80 for the app); with `app` it selects the pods of that app."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": SPACE, "labels": dict(labels)},
        "spec": {
            "type": kind,
            "ports": [{"name": "http", "port": 80 if port == APP_PORT else port, "targetPort": port}],
            **({"selector": {"app": app}} if app else {}),
        },
    }


def configuration(name: str, config: Message) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": SPACE},
        "data": {"envoy.json": json.dumps(config)},
    }


def secret(files: Mapping[str, bytes]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TLS, "namespace": SPACE},
        "stringData": {name: content.decode() for name, content in files.items()},
    }


def envoy(config: str, name: str = "envoy", image: str = ENVOY, ready: bool = True) -> Object:
    """A container that runs Envoy with a ConfigMap; it is ready when the app answers.

    By HTTP: a sidecar accepts TCP connections in place of an app that does not listen yet.
    """
    probe = {"httpGet": {"path": "/", "port": APP_PORT}, "periodSeconds": 1}
    return {
        "name": name,
        "image": image,
        "args": ["--config-path", f"{_CONFIG}/{config}/envoy.json"],
        "volumeMounts": [
            {"name": config, "mountPath": f"{_CONFIG}/{config}"},
            {"name": TLS, "mountPath": CERTIFICATES},
        ],
        **({"readinessProbe": probe} if ready else {}),
    }


def idle() -> Object:
    """A container to run commands in."""
    return {"name": "load", "image": IDLE}


def pod(name: str, containers: list[Object], *, meshed: bool, captured: bool = False) -> Object:
    """A pod of app `name`, with our sidecar or with none; `captured` sends its TCP to a proxy of its own."""
    configs = sorted({m["name"] for c in containers for m in c.get("volumeMounts", ())} - {TLS})
    capture = {
        "name": "capture",
        "image": _CONTROL_PLANE,
        "args": ["proxy-init", "--inbound-ports-to-ignore", "4190,4191"],
    }
    volumes: list[dict[str, Any]] = [{"name": one, "configMap": {"name": one}} for one in configs]
    if configs:
        volumes.append({"name": TLS, "secret": {"secretName": TLS}})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": SPACE,
            "labels": {"app": name},
            "annotations": {"linkerd.io/inject": "enabled" if meshed else "disabled"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            **({"initContainers": [capture]} if captured else {}),
            "containers": containers,
            "volumes": volumes,
        },
    }


def policy(app: str, port: int) -> list[Object]:
    """Only the identity of this namespace's pods may call the app."""

    def head(version: str, kind: str, **spec: Any) -> Object:
        meta = {"name": app, "namespace": SPACE}
        return {"apiVersion": f"policy.linkerd.io/{version}", "kind": kind, "metadata": meta, "spec": spec}

    group = "policy.linkerd.io"
    authentication = {"group": group, "kind": "MeshTLSAuthentication", "name": app}
    return [
        head(
            "v1beta3", "Server", podSelector={"matchLabels": {"app": app}}, port=port, proxyProtocol="HTTP/1"
        ),
        head("v1alpha1", "MeshTLSAuthentication", identities=[workload_name("default", SPACE)]),
        head(
            "v1alpha1",
            "AuthorizationPolicy",
            targetRef={"group": group, "kind": "Server", "name": app},
            requiredAuthenticationRefs=[authentication],
        ),
    ]
