"""Facts of a small healthy lab (west and east, linked both ways), for tests to bend."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.observe.facts import ClusterFacts, GatewayProbe, KubeFacts, Observation, WantedLink

Object = dict[str, Any]
ALL_MODES = ("gateway", "flat", "federated")


def deployment(namespace: str, name: str, ready: int = 1, wanted: int = 1) -> Object:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"replicas": wanted},
        "status": {"readyReplicas": ready},
    }


def pod(name: str, ready: bool = True, **status: Any) -> Object:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {"namespace": "shop", "name": name},
        "status": {"phase": "Running", "conditions": [condition], **status},
    }


def link(target: str) -> Object:
    return {
        "metadata": {"namespace": "linkerd-multicluster", "name": target},
        "spec": {
            "targetClusterName": target,
            "gatewayAddress": "172.28.0.11",
            "selector": {"matchLabels": {"mirror.linkerd.io/exported": "true"}},
            "remoteDiscoverySelector": {"matchLabels": {"mirror.linkerd.io/exported": "remote-discovery"}},
            "federatedServiceSelector": {"matchLabels": {"mirror.linkerd.io/federated": "member"}},
        },
    }


def stats(**changes: Any) -> Object:
    figures = {
        "url": "http://front.shop/",
        "rate": 50.0,
        "success": 1.0,
        "p50Ms": 2.5,
        "p99Ms": 9.0,
        "errors": {},
        "answeredBy": {"west": 1.0},
        "identitySeen": ["loadgen.traffic.serviceaccount.identity.linkerd.cluster.local"],
        **changes,
    }
    return {"targets": {"front": figures}}


def kube(other: str, **changes: Any) -> KubeFacts:
    facts = {
        "version": "v1.36.0",
        "nodes": (
            {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        ),
        "pods": (pod("front-1"), pod("stock-1")),
        "deployments": (
            deployment("linkerd", "linkerd-identity"),
            deployment("linkerd", "linkerd-destination"),
            deployment("linkerd-multicluster", "linkerd-gateway"),
            deployment("linkerd-multicluster", f"controller-{other}"),
            deployment("shop", "front"),
        ),
        "links": (link(other),),
        "traffic": (stats(),),
        "probes": {other: GatewayProbe(alive=True, latency_ms=3.5)},
    }
    return KubeFacts(**{**facts, **changes})


@pytest.fixture
def observation() -> Callable[..., Observation]:
    """Builds the healthy lab; keywords replace parts of it."""

    def make(**changes: Any) -> Observation:
        facts: dict[str, Any] = {
            "lab": "demo",
            "engine": "embedded",
            "time": 1_800_000_000.0,
            "clusters": (ClusterFacts("west", network="n1"), ClusterFacts("east", network="n1")),
            "kube": {"west": kube("east"), "east": kube("west")},
            "links": (WantedLink("west", "east", ALL_MODES), WantedLink("east", "west", ALL_MODES)),
        }
        return Observation(**{**facts, **changes})

    return make


@pytest.fixture
def west() -> Callable[..., KubeFacts]:
    """Kubernetes facts of west; keywords replace parts."""
    return lambda **changes: kube("east", **changes)


@pytest.fixture
def make() -> Any:
    """Builders of raw objects: `make.deployment`, `make.pod`, `make.link`, `make.stats`."""

    class Make:
        deployment = staticmethod(deployment)
        pod = staticmethod(pod)
        link = staticmethod(link)
        stats = staticmethod(stats)
        kube = staticmethod(kube)

    return Make
