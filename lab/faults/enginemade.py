"""Faults that the engine makes: partitions, impairments, pauses, stopped components.

A fault is a set of parts in the engine's words, one per cluster or pair. Parts compare equal, so two faults
that overlap can be told apart part by part, and each stays in force as long as any fault wants it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import CheckFailed
from lab.base.wait import until
from lab.engines.protocol import EngineFault, parts_of
from lab.faults import impair
from lab.faults.actuator import Others
from lab.faults.impair import directions
from lab.faults.model import Fault, FaultKind
from lab.faults.settings import share
from lab.faults.site import Site
from lab.kube.kinds import NAMESPACES
from lab.topology.fault_words import lasts

API_BACK_WITHIN = 20.0
"""Seconds for a restarted or resumed API server to answer."""
STOPS_API = ("pause", "component")


Parts = frozenset[EngineFault]


@dataclass(frozen=True)
class EngineMade:
    """Puts the parts of faults in force and lifts them; see lab.faults.actuator.Actuator.

    One of them serves all engine-made kinds, so that kinds can overlap: `table` says what a kind's parts are.
    """

    table: Mapping[FaultKind, Callable[[Fault], Parts]]

    def parts(self, fault: Fault) -> Parts:
        """The fault in the engine's words. Pure."""
        return self.table[fault.kind](fault)

    async def before(self, site: Site, fault: Fault, others: Others) -> Mapping[str, str]:
        return {}

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        for part in self.parts(fault):
            await site.engine.apply_fault(site.dir, part)
        if not lasts(fault.kind, fault.parameters):
            await self.clear(site, fault, others)

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        held = [part for other in others for part in sorted(self.parts(other), key=repr)]
        await self.lift(site, self.parts(fault) - set(held))
        lying = parts_of(await site.engine.read_faults(site.dir))
        impairments = [part for part in held if part.kind == "impair" and part in lying]
        for part in impair.to_repeat(lying, impairments):
            await site.engine.apply_fault(site.dir, part)

    async def lift(self, site: Site, parts: Parts) -> None:
        """Lift parts and prove it; the API servers that they held back answer again afterwards."""
        for part in parts:
            await site.engine.clear_fault(site.dir, part)
        left = await site.engine.read_faults(site.dir)
        if still := [part for part in parts if left.touches(part)]:
            raise CheckFailed(
                f"lifted but still in force: {', '.join(map(str, still))}", remedy="lab fault.heal --all"
            )
        freed = {name for part in parts if part.kind in STOPS_API for name in part.clusters}
        if not site.engine.is_running(site.dir):
            return  # the lab has ended, and all of this with it
        held = left.paused | {cluster for cluster, _ in left.stopped}  # by another fault
        await _answering(site, freed - held)

    async def strays(self, site: Site, recorded: Iterable[Fault]) -> Parts:
        """What is in force and belongs to no recorded fault."""
        known = {part for fault in recorded if fault.kind in self.table for part in self.parts(fault)}
        return frozenset(parts_of(await site.engine.read_faults(site.dir))) - known

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        found = await site.engine.read_faults(site.dir)
        return all(found.holds(part) for part in self.parts(fault))


def partition(fault: Fault) -> Parts:
    """A cut in each direction between each pair, or in the first only; each can overlap with others. Pure."""
    return frozenset(
        EngineFault("partition", frozenset({target}), frozenset({source}), one_way=True)
        for source, target in directions(fault)
    )


def pause(fault: Fault) -> Parts:
    """A pause of each cluster. Pure."""
    return frozenset(EngineFault("pause", frozenset({name})) for name in fault.target.clusters)


def node(fault: Fault) -> Parts:
    """The death of each cluster's node. Pure."""
    return frozenset(EngineFault("node", frozenset({name})) for name in fault.target.clusters)


def dns(fault: Fault) -> Parts:
    """Failing DNS in each cluster. Pure."""
    how = {"share": share(fault), **({"servfail": 1.0} if "servfail" in fault.parameters else {})}
    settings = tuple(sorted(how.items()))
    return frozenset(
        EngineFault("dns", frozenset({name}), settings=settings) for name in fault.target.clusters
    )


def api(fault: Fault) -> Parts:
    """A stop of each cluster's API server. Pure."""
    return frozenset(
        EngineFault("component", frozenset({name}), component="apiserver") for name in fault.target.clusters
    )


async def _answering(site: Site, clusters: Iterable[str]) -> None:
    """Wait until the API servers of healed clusters answer again."""

    async def one(cluster: str) -> None:
        async with await site.connect(cluster) as client:
            await until(
                lambda: client.list(NAMESPACES),
                timeout=API_BACK_WITHIN,
                what=f"the API server of {cluster} answers again",
            )

    await together(*(one(cluster) for cluster in clusters))
