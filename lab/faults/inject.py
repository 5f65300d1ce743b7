"""Applies and heals faults: ledger first, effect second, and nothing is believed that was not read back.

`lab.ops` hands over the engine and a way to connect; the catalogue below says who carries out what.
A command that dies half-way leaves a record that `heal` finishes; applying and healing can be repeated.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import CheckFailed, LabError
from lab.base.log import get_logger
from lab.base.state import LabDir
from lab.base.wait import until
from lab.engines.protocol import Engine, EngineFault
from lab.faults import impair, workloads
from lab.faults.ledger import Ledger
from lab.faults.model import Fault
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS, NAMESPACES

log = get_logger(__name__)
API_BACK_WITHIN = 20.0
"""Seconds for a restarted or resumed API server to answer."""


@dataclass(frozen=True)
class Site:
    """Where faults are made: one lab, its engine, and clients of its clusters."""

    dir: LabDir
    engine: Engine
    connect: Callable[[str], Awaitable[Client]]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.dir.ledger)


async def inject(site: Site, fault: Fault) -> Fault:
    """Record and apply a fault; returns it as it now stands.

    When applying fails, what was done of it is undone; a record stays only if that fails, too.
    """
    site.ledger.put(fault)
    try:
        if parts := engine_parts(fault):
            for part in parts:
                await site.engine.apply_fault(site.dir, part)
        elif fault.kind == "kill":
            await _kill(site, fault)
        else:
            fault = await _scale_down(site, fault)
    except BaseException:
        await heal(site, fault)
        raise
    if fault.kind == "kill":
        site.ledger.drop(fault.id)  # it happened; there is nothing to undo
        return fault.at("active")
    return site.ledger.put(fault.at("active"))


async def heal(site: Site, fault: Fault) -> None:
    """Undo a fault and prove it: the record is dropped only after the effect was seen gone."""
    fault = site.ledger.put(fault.at("healing"))
    mine = engine_parts(fault)
    if mine:
        lifted = mine - _held_by_others(site, fault)
        for part in lifted:
            await site.engine.clear_fault(site.dir, part)
        left = await site.engine.read_faults(site.dir)
        if still := [part for part in lifted if left.touches(part)]:
            raise CheckFailed(
                f"fault {fault.id} was lifted but is still in force: {still}", remedy="heal it again"
            )
        await _answering(
            site, {name for part in lifted if part.kind in ("pause", "component") for name in part.clusters}
        )
    else:
        await _scale_back(site, fault)
    site.ledger.drop(fault.id)


def engine_parts(fault: Fault) -> frozenset[EngineFault]:
    """The fault in the engine's words, one part per cluster or pair; none for Kubernetes-made ones. Pure.

    Parts compare equal, so two faults that overlap can be told apart part by part.
    """
    clusters = [frozenset({name}) for name in fault.target.clusters]
    match fault.kind:
        case "partition":
            pairs = [frozenset({a, b}) for a in fault.target.clusters for b in fault.target.others]
            return frozenset(
                EngineFault("partition", frozenset({min(p)}), frozenset({max(p)})) for p in pairs
            )
        case "impair":
            return impair.engine_parts(fault)
        case "pause":
            return frozenset(EngineFault("pause", name) for name in clusters)
        case "api":
            return frozenset(EngineFault("component", name, component="apiserver") for name in clusters)
        case _:
            return frozenset()


async def actual(site: Site, fault: Fault) -> bool | None:
    """Whether a recorded fault is really in force; None when nobody can say now."""
    if parts := engine_parts(fault):
        found = await site.engine.read_faults(site.dir)
        return all(found.holds(part) for part in parts)
    try:
        return all(
            [await _replicas(site, place) == fault.parameters.get("replicas", 0) for place in fault.before]
        )
    except LabError:
        return None  # the cluster does not answer, which may be another fault's doing


def _held_by_others(site: Site, fault: Fault) -> frozenset[EngineFault]:
    """Parts that another recorded fault keeps in force while `fault` is healed."""
    rest = [
        other for other in site.ledger.read().values() if other.id != fault.id and other.state == "active"
    ]
    return frozenset(part for other in rest for part in engine_parts(other))


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


async def _kill(site: Site, fault: Fault) -> None:
    for cluster in fault.target.clusters:
        async with await site.connect(cluster) as client:
            await workloads.kill(client, workloads.selection(fault))


async def _scale_down(site: Site, fault: Fault) -> Fault:
    """Remember every Deployment's replicas in the ledger, then scale them."""
    count = fault.parameters.get("replicas", 0)
    before: dict[str, int] = {}
    for cluster in fault.target.clusters:
        async with await site.connect(cluster) as client:
            for deployment in await workloads.deployments(client, workloads.selection(fault)):
                place = f"{cluster}/{objects.namespace(deployment)}/{objects.name(deployment)}"
                before[place] = workloads.replicas(deployment)
    fault = site.ledger.put(fault.at("applying", before))
    await together(*(_scale(site, place, count) for place in before))
    return fault


async def _scale_back(site: Site, fault: Fault) -> None:
    wanted = restored(fault, site.ledger.read())
    await together(*(_scale(site, place, count) for place, count in wanted.items()))


async def _scale(site: Site, place: str, count: int) -> None:
    cluster, namespace, name = place.split("/")
    async with await site.connect(cluster) as client:
        try:
            await workloads.scale(client, namespace, name, count)
        except NotFound:
            log.info("a scaled Deployment is gone", place=place)  # deleted meanwhile: nothing to scale


def restored(fault: Fault, recorded: Mapping[str, Fault]) -> dict[str, int]:
    """The replicas to go back to: what was there before, or what an older fault still wants. Pure."""
    wanted = dict(fault.before)
    for other in recorded.values():
        if other.id != fault.id:
            wanted.update(
                {place: other.parameters.get("replicas", 0) for place in other.before if place in wanted}
            )
    return wanted


async def _replicas(site: Site, place: str) -> int:
    cluster, namespace, name = place.split("/")
    async with await site.connect(cluster) as client:
        return workloads.replicas(await client.get(DEPLOYMENTS, name, namespace))
