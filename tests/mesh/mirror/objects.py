"""Small builders of the objects that mirror tests speak about."""

from typing import Any

from lab.controlplane.mirror.link import Link, link_of

Object = dict[str, Any]


def link_object(name: str = "east", **spec: Any) -> Object:
    body = {
        "targetClusterName": name,
        "targetClusterDomain": "cluster.local",
        "clusterCredentialsSecret": f"cluster-credentials-{name}",
        "gatewayAddress": "172.28.0.11",
        "gatewayPort": "4143",
        "gatewayIdentity": "gateway.identity",
        "probeSpec": {"path": "/ready", "port": "4191", "period": "3s"},
        "selector": {"matchLabels": {"mirror.linkerd.io/exported": "true"}},
        "remoteDiscoverySelector": {"matchLabels": {"mirror.linkerd.io/exported": "remote-discovery"}},
        "federatedServiceSelector": {"matchLabels": {"mirror.linkerd.io/federated": "member"}},
        **spec,
    }
    return {
        "apiVersion": "multicluster.linkerd.io/v1alpha3",
        "kind": "Link",
        "metadata": {"name": name, "namespace": "linkerd-multicluster"},
        "spec": body,
    }


def a_link(name: str = "east", **spec: Any) -> Link:
    return link_of(link_object(name, **spec))


def service(name: str = "web", namespace: str = "shop", **labels: str) -> Object:
    """A Service; keyword arguments are labels, `exported` and `federated` short for their full keys."""
    full = {f"mirror.linkerd.io/{k}" if k in ("exported", "federated") else k: v for k, v in labels.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": full, "resourceVersion": "7"},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
    }


def endpoints(name: str = "web", namespace: str = "shop", ready: bool = True) -> Object:
    key = "addresses" if ready else "notReadyAddresses"
    subset = {key: [{"ip": "10.21.0.5"}], "ports": [{"name": "http", "port": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": name, "namespace": namespace},
        "subsets": [subset],
    }
