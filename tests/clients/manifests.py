"""What sessions create: a pod to look into, and a kind of their own."""

from typing import Any


def pod(name: str) -> dict[str, Any]:
    """A shell, and an HTTP server that is ready once it listens on 8080."""
    shell = {"name": "shell", "image": "example.com/sh:1", "args": ["echo started; sleep 600"]}
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    web = {"name": "web", "image": "multicluster.lab/apps", "args": ["echo"], "readinessProbe": probe}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [shell, web]},
    }


def crd(plural: str, kind: str) -> dict[str, Any]:
    """A namespaced kind of group clients.example.com: a size of at least 1, a status, a printed column."""
    group = "clients.example.com"
    size = {"type": "integer", "minimum": 1, "default": 3}
    properties = {
        "spec": {"type": "object", "properties": {"size": size}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }
