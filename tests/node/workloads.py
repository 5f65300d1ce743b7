"""Workload objects for tests of controllers: small, complete, and as the API server would give them back."""

from typing import Any

from tests.node.cluster import container

Object = dict[str, Any]


def workload(kind: str, name: str = "web", *, group: str = "apps", **spec: Any) -> Object:
    """An object with a pod template of one container; `spec` adds fields or replaces them."""
    own: Object = {"template": template(name), "selector": {"matchLabels": {"app": name}}, **spec}
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": own,
    }


def template(name: str = "web", image: str = "multicluster.lab/apps", **spec: Any) -> Object:
    body = {"terminationGracePeriodSeconds": 1, "containers": [container("app", image=image)], **spec}
    return {"metadata": {"labels": {"app": name}}, "spec": body}


def stored(obj: Object, **status: Any) -> Object:
    """As if the API server had it: with a uid, a generation and a status."""
    meta = {"uid": f"uid of {obj['metadata']['name']}", "generation": 1, **obj["metadata"]}
    return {**obj, "metadata": meta, "status": status}


def pod_status(pod: Object, phase: str = "Running", ready: bool = True, **more: Any) -> Object:
    """A pod as the node would show it."""
    meta = {"uid": f"uid of {pod['metadata']['name']}", **pod["metadata"]}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {**pod, "metadata": meta, "status": {"phase": phase, "conditions": conditions, **more}}
