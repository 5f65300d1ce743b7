"""A node as Docker and its kernel show it, and what follows from many of them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lab.engines.kind.names import CONTROL_PLANE

NodeState = Literal["running", "paused", "stopped", "exited"]


@dataclass(frozen=True)
class Node:
    """One container of kind. `stopped` is one that a fault keeps down, `exited` one that just is not running.

    `address` is on the lab's network and empty while the node does not run; `api_port` is where this machine
    reaches its API server. `pods` are the networks of its pods.
    """

    name: str
    cluster: str
    role: str
    state: NodeState = "running"
    address: str = ""
    api_port: int = 0
    image: str = ""
    pods: tuple[str, ...] = ()
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Wiring:
    """What was read inside a node: its routes of ours by pod network, drops by (source, network), the pod
    networks whose senders keep their address, and, as they were printed, our packet rules and all queues."""

    routes: Mapping[str, str] = field(default_factory=dict)
    drops: frozenset[tuple[str, str]] = frozenset()
    kept: frozenset[str] = frozenset()
    rules: str = ""
    queues: str = ""


def by_cluster(nodes: Iterable[Node]) -> dict[str, tuple[Node, ...]]:
    """The nodes of each cluster, the control plane first."""
    groups: dict[str, list[Node]] = {}
    for node in sorted(nodes, key=lambda one: (one.role != CONTROL_PLANE, one.name)):
        groups.setdefault(node.cluster, []).append(node)
    return {cluster: tuple(group) for cluster, group in groups.items()}
