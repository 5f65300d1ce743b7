"""The objects of many pods, in the proportions of a mesh's cluster. Pure.

Ten replicas stand behind one Service; each such group is a ReplicaSet, a Service, an EndpointSlice and ten
pods of the size that an injected pod has.
"""

from collections.abc import Iterator
from typing import Any

from lab.kube.objects import Object

SPACE = "crowd"
REPLICAS = 10
NODES = 50
_VOLUMES = ("config", "tls", "identity", "scratch")


def group(number: int) -> Iterator[Object]:
    """One Service's worth of objects."""
    name = f"app-{number:04}"
    pods = [pod(name, number * REPLICAS + index) for index in range(REPLICAS)]
    yield {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": _meta(name, name),
        "spec": _replicas(name),
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(name, name),
        "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"name": "http", "port": 80}]},
    }
    yield from pods
    yield _slice(name, pods)


def pod(app: str, number: int) -> Object:
    spec = {**_pod_spec(app), "nodeName": node(number)}
    meta = _meta(f"{app}-{number:05}", app)
    meta["annotations"] = {f"example.com/note-{n}": "x" * 60 for n in range(5)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def node(number: int) -> str:
    return f"node-{number % NODES:02}"


def running(beat: int) -> Object:
    """The status that a node would report, different at each `beat`."""
    conditions = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "status": {
            "phase": "Running",
            "podIP": f"10.1.{beat // 256 % 256}.{beat % 256}",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}
                for kind in conditions
            ],
        }
    }


def _meta(name: str, app: str) -> dict[str, Any]:
    return {"name": name, "namespace": SPACE, "labels": {"app": app, "version": "v1", "tier": "backend"}}


def _pod_spec(app: str) -> Object:
    mounts = [{"name": name, "mountPath": f"/var/run/{name}"} for name in _VOLUMES]
    container = {
        "image": "lab/echo:1",
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(8)],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "volumeMounts": mounts,
    }
    return {
        "automountServiceAccountToken": False,
        "containers": [{"name": app, **container}, {"name": "proxy", **container}],
        "volumes": [{"name": name, "emptyDir": {}} for name in _VOLUMES],
    }


def _replicas(app: str) -> Object:
    template = {"metadata": {"labels": {"app": app}}, "spec": _pod_spec(app)}
    return {"replicas": REPLICAS, "selector": {"matchLabels": {"app": app}}, "template": template}


def _slice(app: str, pods: list[Object]) -> Object:
    endpoints = [
        {
            "addresses": [f"10.1.0.{index + 1}"],
            "conditions": {"ready": True},
            "nodeName": one["spec"]["nodeName"],
            "targetRef": {"kind": "Pod", "name": one["metadata"]["name"], "namespace": SPACE},
        }
        for index, one in enumerate(pods)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _meta(app, app) | {"labels": {"kubernetes.io/service-name": app}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080}],
    }
