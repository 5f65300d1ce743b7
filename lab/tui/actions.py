"""What a user can do to a lab from the interface, and the command line that does the same. Pure.

The work itself is behind `Actions`, which the opener implements with the same code as the command line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from lab.observe.state import LabState

CLUSTER_FAULTS = {
    "pause": "freeze every process of",
    "node": "kill the node and all pods of",
    "dns": "leave DNS queries unanswered in",
    "certificate": "let the certificates of all pods expire in",
    "gateway": "stop the gateway of",
    "control-plane": "stop the mesh control plane of",
    "api": "stop the Kubernetes API server of",
}
WORKLOAD_FAULTS = {"kill": "kill the pods of", "scale": "scale to zero"}


@dataclass(frozen=True)
class Choice:
    """A fault and what it would hit."""

    kind: str
    target: str
    title: str

    @property
    def command(self) -> str:
        return f"lab fault.{self.kind} {self.target.replace('|', ' ')}"


class Actions(Protocol):
    """Does things to the lab; what comes back is said to the user, LabError tells what went wrong."""

    async def inject(self, choice: Choice) -> str: ...

    async def heal(self, fault_id: str) -> str: ...


def heal_command(fault_id: str) -> str:
    return f"lab fault.heal --id {fault_id}"


def choices(state: LabState) -> list[Choice]:
    """Every fault that can be put in force on this lab."""
    return [*_cluster_faults(state), *_partitions(state), *_workload_faults(state)]


def _cluster_faults(state: LabState) -> Iterator[Choice]:
    for kind, title in CLUSTER_FAULTS.items():
        for cluster in state.clusters:
            yield Choice(kind, cluster.name, f"{title} {cluster.name}")


def _partitions(state: LabState) -> Iterator[Choice]:
    names = [cluster.name for cluster in state.clusters]
    for one, other in combinations(names, 2):
        yield Choice("partition", f"{one}|{other}", f"cut the network between {one} and {other}")
    if len(names) > 2:
        for name in names:
            rest = ",".join(other for other in names if other != name)
            yield Choice("partition", f"{name}|{rest}", f"cut {name} off from all others")


def _workload_faults(state: LabState) -> Iterator[Choice]:
    for kind, title in WORKLOAD_FAULTS.items():
        for target in workloads(state):
            yield Choice(kind, target, f"{title} {target}")


def workloads(state: LabState) -> list[str]:
    """CLUSTER/NAMESPACE/DEPLOYMENT behind the traffic: mirrors are traced back to the service they
    stand for.
    """
    names = [cluster.name for cluster in state.clusters]
    endings = tuple(f"-{ending}" for ending in (*names, "federated"))
    found: dict[tuple[str, str], None] = {}
    for service in state.services:
        ending = next((e for e in endings if service.name.endswith(e)), "")
        found[service.namespace, service.name.removesuffix(ending)] = None
    return [f"{cluster}/{namespace}/{name}" for namespace, name in found for cluster in names]
