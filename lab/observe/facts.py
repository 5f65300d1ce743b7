"""What was seen of a lab, before anybody judged it: the input of `build`.

The engine's and the ledger's parts are filled in by the caller (this package knows neither); the
Kubernetes part comes from `gather`. A cluster that did not answer has `error` set and the rest empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.kube.objects import Object
from lab.observe.state import Fault


@dataclass(frozen=True)
class Scope:
    """What of a cluster is the lab's business: everything, or (`namespaces`) only some of somebody's cluster,
    which may be far away; whose the mesh there is."""

    namespaces: tuple[str, ...] | None = None
    mesh: Literal["lab", "user", "none"] = "lab"

    @property
    def patience(self) -> float:
        """How much longer answers may take than on this machine."""
        return 1.0 if self.namespaces is None else 5.0


@dataclass(frozen=True)
class ClusterFacts:
    """A cluster as the engine knows it, without asking Kubernetes."""

    name: str
    running: bool = True
    """Its node runs."""
    api_running: bool = True
    """Its API server runs; its pods may go on without."""
    paused: bool = False
    restarts: int = 0
    network: str = ""
    adrift: str = ""
    """What was set around it and no longer fits it, such as an address that has changed."""
    scope: Scope = Scope()


@dataclass(frozen=True)
class WantedLink:
    """A link the topology asks for; `impairment` in words, such as {"delay": "20ms"}."""

    from_: str
    to: str
    modes: tuple[str, ...]
    impairment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GatewayProbe:
    """What a service mirror measured of the target's gateway."""

    alive: bool
    latency_ms: float | None = None


@dataclass(frozen=True)
class Trust:
    """A cluster's trust anchors and its issuer's certificate, PEM."""

    anchors: str
    issuer: str


@dataclass(frozen=True)
class KubeFacts:
    """What one cluster's API server told; lists hold plain Kubernetes objects."""

    error: str = ""
    version: str = ""
    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    links: tuple[Object, ...] = ()
    mirrors: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    traffic: tuple[Mapping[str, Any], ...] = ()
    """The `/stats` answer of each load generator that gave one."""
    probes: Mapping[str, GatewayProbe] = field(default_factory=dict)
    """By target cluster."""
    trust: Trust | None = None
    """None where no mesh is installed."""
    unread: tuple[str, ...] = ()
    """Sources that were there but did not answer, with the reason."""


@dataclass(frozen=True)
class Observation:
    lab: str
    engine: str
    time: float
    clusters: tuple[ClusterFacts, ...]
    kube: Mapping[str, KubeFacts]
    links: tuple[WantedLink, ...] = ()
    faults: tuple[Fault, ...] = ()
