"""The state of a lab as one frozen value: what `status --json` prints and what the TUI draws.

`build` makes it from gathered facts; nothing here reads a clock or a cluster. The JSON form is a
contract, described by `status.schema.json`: fields may be added, never renamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

ClusterState = Literal["ready", "starting", "degraded", "paused", "unreachable", "down"]
LinkState = Literal["up", "degraded", "down", "partitioned", "missing", "unknown"]
LabHealth = Literal["ready", "degraded", "down"]
NONE: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Api:
    """The Kubernetes API server: `version` is empty while it does not answer."""

    state: Literal["ready", "unreachable", "paused"]
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class Component:
    """One Deployment of the mesh in a cluster."""

    namespace: str
    name: str
    ready: int
    wanted: int

    @property
    def healthy(self) -> bool:
        return self.ready >= self.wanted > 0


@dataclass(frozen=True)
class ControlPlane:
    state: Literal["ready", "degraded", "down", "unknown", "none"]
    components: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Node:
    name: str
    ready: bool
    reason: str = ""


@dataclass(frozen=True)
class Pods:
    """How many pods are wanted to run, and how many of them are ready."""

    ready: int = 0
    total: int = 0


@dataclass(frozen=True)
class Cluster:
    name: str
    state: ClusterState
    api: Api
    control_plane: ControlPlane
    network: str = ""
    nodes: tuple[Node, ...] = ()
    pods: Pods = Pods()
    restarts: int = 0
    """How often the engine had to start one of the cluster's own processes again."""
    adrift: str = ""
    """What the last `up` set around it and no longer fits it, such as an address that has changed."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """`from_` mirrors services of `to`; `gateway_alive` is None where no gateway is probed."""

    from_: str
    to: str
    modes: tuple[str, ...]
    state: LinkState
    reason: str = ""
    latency_ms: float | None = None
    gateway_alive: bool | None = None
    mirrors: Mapping[str, int] = field(default_factory=lambda: NONE)
    """Mirror Services in `from_` by mode."""
    impairment: Mapping[str, str] = field(default_factory=lambda: NONE)
    """What the topology or a fault makes the path suffer: delay, jitter, loss, rate."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """Traffic from the load generator of `cluster` to one service over the last window."""

    cluster: str
    namespace: str
    name: str
    traffic: str
    url: str
    rate: float
    success: float | None
    p50_ms: float | None
    p99_ms: float | None
    answered_by: Mapping[str, float] = field(default_factory=lambda: NONE)
    identity_seen: tuple[str, ...] = ()
    errors: Mapping[str, int] = field(default_factory=lambda: NONE)


@dataclass(frozen=True)
class Fault:
    id: str
    kind: str
    target: str
    state: str
    since: float = 0.0
    clusters: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """For a partition: the clusters that `clusters` are cut off from."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: NONE)


@dataclass(frozen=True)
class Problem:
    where: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """One check that the mesh's own program made of a cluster; `hint` says where to read about it."""

    cluster: str
    what: str
    result: Literal["success", "warning", "error"]
    message: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Event:
    time: str
    cluster: str
    kind: Literal["Normal", "Warning"]
    where: str
    reason: str
    message: str
    count: int = 1


@dataclass(frozen=True)
class LabState:
    lab: str
    engine: str
    state: LabHealth
    time: float
    """Unix time at which the facts were gathered."""
    clusters: tuple[Cluster, ...] = ()
    links: tuple[Link, ...] = ()
    services: tuple[Service, ...] = ()
    faults: tuple[Fault, ...] = ()
    problems: tuple[Problem, ...] = ()
    events: tuple[Event, ...] = ()
    checks: tuple[Check, ...] = ()
    """Of `linkerd check`, where the mesh is Linkerd. They take seconds: a view that is kept up to date has
    those of the last time."""
    checked_at: float | None = None
    """Unix time at which these checks began; None where there are none."""

    @property
    def checks_age(self) -> float:
        """Seconds from the beginning of the checks to this state; 0 where there are none."""
        return 0.0 if self.checked_at is None else max(0.0, self.time - self.checked_at)

    def to_json(self) -> dict[str, Any]:
        """The contract form, described by `status.schema.json`."""
        found: dict[str, Any] = encoded(self)
        return found


def encoded(value: Any) -> Any:
    """A frozen value in its JSON form: camelCase names, lists and objects only."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_camel(part.name): encoded(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encoded(item) for item in value]
    return value


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)
