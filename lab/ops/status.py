"""The state of a running lab: gathered, judged, and shown once. `lab.ops.feed` keeps it up to date."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from lab.engines.protocol import EngineState
from lab.faults import model
from lab.faults.impair import suffered
from lab.faults.ledger import Ledger
from lab.observe import build, state, table
from lab.observe.facts import ClusterFacts, Observation, Scope, WantedLink
from lab.observe.gather import Gatherer
from lab.observe.state import LabState
from lab.ops.answer import Answer
from lab.ops.checked import checked
from lab.ops.labs import Lab, find
from lab.topology.links import Wan, directed_links

WINDOW = 5.0
"""Seconds of traffic that figures are about."""
REFRESH = 1.0
"""Seconds between two looks of `status --watch` and the TUI."""


@dataclass
class Observer:
    """Takes one look after the other at a lab, keeping its connections between them."""

    lab: Lab
    gatherer: Gatherer

    async def look(self) -> LabState:
        """The lab's state now; a dead cluster costs at most the gatherer's limit."""
        wans = self.lab.plan.wans
        facts = await clusters_of(self.lab)
        kube = await self.gatherer.gather(facts)
        faults = tuple(Ledger(self.lab.dir.ledger).read().values())
        return build.build(
            Observation(
                lab=self.lab.name,
                engine=self.lab.topology.engine,
                time=time.time(),
                clusters=facts,
                kube=kube,
                links=tuple(
                    WantedLink(*ends, link.modes, suffered(ends, wans.get(ends, Wan()).words(), faults))
                    for link in directed_links(self.lab.topology)
                    if (ends := (link.source, link.target))
                ),
                faults=tuple(map(_fault, faults)),
            )
        )


@asynccontextmanager
async def observer(lab: Lab, window: float = WINDOW) -> AsyncIterator[Observer]:
    """An Observer of the last `window` seconds of traffic; its connections are closed at the end."""
    gatherer = Gatherer(lab.connect, window)
    try:
        yield Observer(lab, gatherer)
    finally:
        await gatherer.close()


def status(name: str, clusters: tuple[str, ...] = ()) -> Answer:
    """One look. Not ok when the lab has problems."""
    lab = find(name)
    chosen = lab.chosen(clusters)

    async def once() -> LabState:
        async with observer(lab) as eyes:
            return await checked(lab, await eyes.look())

    seen = only(asyncio.run(once()), chosen)
    return answer(seen)


def answer(seen: LabState) -> Answer:
    """A state as a verb's answer."""
    return Answer(seen.to_json(), table.render(seen), ok=not seen.problems)


def only(seen: LabState, clusters: tuple[str, ...]) -> LabState:
    """The part of a state that is about these clusters."""
    if set(clusters) >= {cluster.name for cluster in seen.clusters}:
        return seen
    return replace(
        seen,
        clusters=tuple(c for c in seen.clusters if c.name in clusters),
        links=tuple(link for link in seen.links if {link.from_, link.to} & set(clusters)),
        services=tuple(s for s in seen.services if s.cluster in clusters),
        problems=tuple(p for p in seen.problems if any(name in p.where for name in clusters)),
        events=tuple(e for e in seen.events if e.cluster in clusters),
        checks=tuple(c for c in seen.checks if c.cluster in clusters),
    )


def _fault(fault: model.Fault) -> state.Fault:
    return state.Fault(
        id=fault.id,
        kind=fault.kind,
        target=str(fault.target),
        state=fault.shown(time.time()),
        since=fault.since,
        clusters=fault.target.clusters,
        others=fault.target.others,
        parameters=fault.parameters,
    )


async def clusters_of(lab: Lab) -> tuple[ClusterFacts, ...]:
    """What the engine knows of each of the lab's clusters now."""
    engine = await lab.engine.observe(lab.dir)
    return tuple(_facts(lab, name, engine) for name in lab.topology.clusters)


def _facts(lab: Lab, name: str, engine: EngineState) -> ClusterFacts:
    seen = engine.clusters.get(name)
    mesh = lab.topology.mesh.provider
    scope = Scope(lab.namespaces, mesh) if lab.is_guest else Scope(mesh=mesh)
    if seen is None:
        network = lab.topology.network_of(name)
        return ClusterFacts(name, running=False, api_running=False, network=network, scope=scope)
    return ClusterFacts(
        name,
        running=seen.is_running,
        api_running=seen.api_is_running,
        paused=seen.paused,
        restarts=seen.restarts,
        network=seen.network,
        adrift=seen.adrift,
        scope=scope,
    )
