"""Applies and heals faults: ledger first, effect second, and nothing is believed that was not read back.

`lab.ops` hands over the site; the catalogue says who carries out what. A command that dies half-way leaves
a record that `heal` finishes; applying and healing can be repeated.
"""

import time
from collections.abc import Iterable, Set
from dataclasses import replace

from lab.base.errors import CheckFailed, LabError
from lab.faults.actuator import Others
from lab.faults.catalogue import CATALOGUE
from lab.faults.model import Fault, unfinished
from lab.faults.site import Site
from lab.topology.fault_words import lasts


async def inject(site: Site, fault: Fault) -> Fault:
    """Record and apply a fault; returns it as it now stands, `since` when its effect began. Its lease begins
    again once all of it is in force.

    When applying fails, what was done of it is undone; a record stays only if that fails, too.
    """
    row = CATALOGUE[fault.kind]
    lease = fault.lease
    site.ledger.put(fault)
    try:
        others = standing(site, fault)
        if before := await row.actuator.before(site, fault, others):
            fault = site.ledger.put(fault.at("applying", before))
        fault = replace(fault, since=time.time())
        await row.actuator.apply(site, fault, others)
    except BaseException:
        await heal(site, fault)
        raise
    if lasts(fault.kind, fault.parameters):
        ends = None if lease is None else time.time() + lease
        return site.ledger.put(replace(fault.at("active"), expires=ends))
    site.ledger.drop(fault.id)  # it happened; there is nothing to undo
    return fault.at("active")


async def heal(site: Site, fault: Fault) -> None:
    """Undo a fault and prove it: the record is dropped only after the effect was seen gone."""
    fault = site.ledger.put(fault.at("healing"))
    await CATALOGUE[fault.kind].actuator.clear(site, fault, standing(site, fault))
    site.ledger.drop(fault.id)


async def heal_each(site: Site, doomed: Iterable[Fault]) -> None:
    """Heal one after the other. One that fails is tried again when the others are gone: they may be why.

    Raises CheckFailed with every fault that is left, and why.
    """
    waiting = [fault for fault in doomed if await _failed(site, fault)]
    if failed := [(fault, error) for fault in waiting if (error := await _failed(site, fault))]:
        said = "".join(f"\n  {fault.id} ({fault.kind} on {fault.target}): {error}" for fault, error in failed)
        raise CheckFailed(
            f"not healed, and still on record:{said}",
            remedy=failed[0][1].remedy or "lab fault.list shows what else stands; then lab fault.heal --all",
        )


async def _failed(site: Site, fault: Fault) -> LabError | None:
    try:
        await heal(site, fault)
    except LabError as error:
        return error
    return None


async def recover(site: Site, clusters: Set[str] | None = None) -> None:
    """Heal what commands that died left half-done, and what has outlived its lease; the lab must be locked.

    With `clusters` only faults of these. Raises CheckFailed where one cannot be healed.
    """
    late = unfinished(site.ledger.read(), time.time())
    await heal_each(site, [one for one in late if clusters is None or clusters >= set(one.target.clusters)])


async def actual(site: Site, fault: Fault) -> bool | None:
    """Whether a recorded fault is really in force; None when nobody can say now."""
    return await CATALOGUE[fault.kind].actuator.actual(site, fault, standing(site, fault))


def standing(site: Site, fault: Fault) -> Others:
    """The other faults in force that the same actuator made, oldest first."""
    mine = CATALOGUE[fault.kind].actuator
    return [
        other
        for other in site.ledger.read().values()
        if other.id != fault.id and other.state == "active" and CATALOGUE[other.kind].actuator is mine
    ]
