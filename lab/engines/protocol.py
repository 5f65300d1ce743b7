"""What an engine is: the thing that makes clusters exist, and says what is really there.

`ops` and `faults` use this and nothing else of an engine. States are frozen and read from the machine at
every call, never from a record of what was once done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lab.base.state import LabDir
from lab.plan.addresses import LabPlan

Progress = Callable[[str, str], None]
"""Called with where (a cluster or "lab") and what is happening there."""

ComponentState = Literal["running", "stopped", "paused", "restarting"]
FaultKind = Literal["partition", "pause", "component", "impair", "node", "dns"]


@dataclass(frozen=True)
class Component:
    """One program of a cluster that the engine keeps running."""

    name: str
    state: ComponentState
    restarts: int = 0
    last_exit: int | None = None


@dataclass(frozen=True)
class ClusterState:
    """One cluster as the engine sees it; `components` by name, such as `apiserver` and `node`.

    `adrift` says what was set around it and no longer fits it: one that came back with another address, or
    without the routes to others, is there and yet has to be brought up again. Empty where all fits.
    """

    name: str
    api: str
    node_ip: str
    network: str
    paused: bool = False
    components: Mapping[str, Component] = field(default_factory=dict)
    adrift: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all its components have been started once, whatever became of them since."""
        return not self.adrift and {"apiserver", "node"} <= self.components.keys()

    @property
    def is_running(self) -> bool:
        """Whether its node runs (its API server may be down)."""
        node = self.components.get("node")
        return node is not None and node.state in ("running", "paused")

    @property
    def api_is_running(self) -> bool:
        """Whether its API server runs."""
        api = self.components.get("apiserver")
        return api is not None and api.state == "running"

    @property
    def restarts(self) -> int:
        """How often its components ended by themselves."""
        return sum(component.restarts for component in self.components.values())


@dataclass(frozen=True)
class EngineFault:
    """A fault an engine can put on clusters, or was found to have put on them.

    partition: packets from `others` do not arrive in `clusters`, nor, unless `one_way`, the other way round.
    impair: these packets suffer what `settings` say (delay and jitter in seconds; loss, duplicate and corrupt
    as shares; rate in bits per second); the rest stays as the topology, or an earlier fault, has it.
    pause: every process of `clusters` is stopped. component: `component` of `clusters` is down.
    node: the node of `clusters` and all its pods are dead. dns: the DNS of `clusters` fails its pods'
    queries as `settings` say: the `share` of them, with SERVFAIL if `servfail` is 1, else without an answer.
    """

    kind: FaultKind
    clusters: frozenset[str]
    others: frozenset[str] = frozenset()
    component: str = ""
    one_way: bool = False
    settings: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        names = ",".join(sorted(self.clusters))
        if self.others:
            names = f"{','.join(sorted(self.others))} {'->' if self.one_way else '|'} {names}"
        return " ".join(word for word in (self.kind, self.component, names) if word)


@dataclass(frozen=True)
class Drop:
    """Packets from `source` do not arrive in `target`."""

    source: str
    target: str


@dataclass(frozen=True)
class Impaired:
    """Packets from `source` to `target` suffer what a fault's `settings` say."""

    source: str
    target: str
    settings: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class DnsFailure:
    """DNS queries of pods of `cluster` fail as a fault's `settings` say."""

    cluster: str
    settings: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class ActualFaults:
    """Faults as the kernel has them now."""

    drops: frozenset[Drop] = frozenset()
    paused: frozenset[str] = frozenset()
    stopped: frozenset[tuple[str, str]] = frozenset()
    """(cluster, component)."""
    impaired: tuple[Impaired, ...] = ()
    """In the order in which they were asked for: of two that say the same setting, the later one counts."""
    dead: frozenset[str] = frozenset()
    """Clusters whose node was killed: neither it nor any process of a pod is there."""
    dns: frozenset[DnsFailure] = frozenset()

    def holds(self, fault: EngineFault) -> bool:
        """Whether all of a fault is in force."""
        return all(self._parts(fault))

    def touches(self, fault: EngineFault) -> bool:
        """Whether any part of a fault is in force."""
        return any(self._parts(fault))

    def _parts(self, fault: EngineFault) -> list[bool]:
        if fault.kind == "pause":
            return [cluster in self.paused for cluster in fault.clusters]
        if fault.kind == "component":
            return [(cluster, fault.component) in self.stopped for cluster in fault.clusters]
        if fault.kind == "impair":
            return [one in self.impaired for one in impaired_by(fault)]
        if fault.kind == "node":
            return [cluster in self.dead for cluster in fault.clusters]
        if fault.kind == "dns":
            return [one in self.dns for one in dns_failures_of(fault)]
        return [drop in self.drops for drop in drops_of(fault)]


@dataclass(frozen=True)
class EngineState:
    """A lab as its engine sees it; of a lab that does not run nothing is known."""

    running: bool
    pid: int = 0
    clusters: Mapping[str, ClusterState] = field(default_factory=dict)
    faults: ActualFaults = ActualFaults()
    readings: Mapping[str, str] = field(default_factory=dict)
    """Everything that faults may change, as the machine has it: place -> what is there."""


class Engine(Protocol):
    """Makes, observes, breaks and removes the clusters of a lab."""

    @property
    def name(self) -> str: ...

    def is_running(self, lab: LabDir) -> bool:
        """Whether anything of the lab runs; cheap."""

    async def observe(self, lab: LabDir) -> EngineState:
        """The lab as it is now; a paused or broken cluster never makes this wait."""

    async def ensure(self, lab: LabDir, plan: LabPlan, progress: Progress) -> None:
        """Make the clusters of the plan exist and answer, and no others; what is right is left alone.

        Writes the lab's kubeconfig. Raises EngineUnavailable when this machine cannot run the engine.
        """

    async def commands(self, lab: LabDir, plan: LabPlan) -> list[tuple[str, str]]:
        """(where, command line) of everything that `ensure` would run now; an engine that starts no programs
        of others has none."""

    async def remove(self, lab: LabDir, *, purge: bool = False) -> None:
        """End everything of the lab; with `purge` also delete its stores and keys. Can be repeated."""

    async def apply_fault(self, lab: LabDir, fault: EngineFault) -> None:
        """Put a fault in force; returns once it is, as read back from the machine."""

    async def clear_fault(self, lab: LabDir, fault: EngineFault) -> None:
        """Lift a fault; returns once nothing of it is left, as read back from the machine."""

    async def read_faults(self, lab: LabDir) -> ActualFaults:
        """What is in force now."""


def parts_of(found: ActualFaults) -> tuple[EngineFault, ...]:
    """What was found as the smallest faults that would make it, impairments in their order."""
    return (
        *(
            EngineFault("partition", frozenset({one.target}), frozenset({one.source}), one_way=True)
            for one in sorted(found.drops, key=lambda drop: (drop.source, drop.target))
        ),
        *(EngineFault("pause", frozenset({name})) for name in sorted(found.paused)),
        *(
            EngineFault("component", frozenset({name}), component=part)
            for name, part in sorted(found.stopped)
        ),
        *(
            EngineFault("impair", frozenset({one.target}), frozenset({one.source}), "", True, one.settings)
            for one in found.impaired
        ),
        *(EngineFault("node", frozenset({name})) for name in sorted(found.dead)),
        *(
            EngineFault("dns", frozenset({one.cluster}), settings=one.settings)
            for one in sorted(found.dns, key=repr)
        ),
    )


def drops_of(fault: EngineFault) -> frozenset[Drop]:
    """The directions in which a partition cuts."""
    return frozenset(Drop(source, target) for source, target in _directions(fault))


def dns_failures_of(fault: EngineFault) -> frozenset[DnsFailure]:
    """The failing DNS of each cluster hit."""
    return frozenset(DnsFailure(cluster, fault.settings) for cluster in fault.clusters)


def impaired_by(fault: EngineFault) -> frozenset[Impaired]:
    """The directions that an impairment slows or thins, each with what it asks."""
    return frozenset(Impaired(source, target, fault.settings) for source, target in _directions(fault))


def _directions(fault: EngineFault) -> set[tuple[str, str]]:
    """(source, target) of the packets hit; no cluster is hit on the way to itself."""
    pairs = {(there, here) for there in fault.others for here in fault.clusters}
    if not fault.one_way:
        pairs |= {(here, there) for there, here in pairs}
    return {(source, target) for source, target in pairs if source != target}
