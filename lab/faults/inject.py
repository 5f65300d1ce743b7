"""Applies and heals faults: ledger first, effect second, and nothing is believed that was not read back.

`lab.ops` hands over the site; the catalogue says who carries out what. A command that dies half-way leaves
a record that `heal` finishes; applying and healing can be repeated.
"""

from lab.faults.actuator import Others
from lab.faults.catalogue import CATALOGUE
from lab.faults.model import Fault
from lab.faults.site import Site
from lab.topology.fault_words import lasts


async def inject(site: Site, fault: Fault) -> Fault:
    """Record and apply a fault; returns it as it now stands.

    When applying fails, what was done of it is undone; a record stays only if that fails, too.
    """
    row = CATALOGUE[fault.kind]
    site.ledger.put(fault)
    try:
        others = standing(site, fault)
        if before := await row.actuator.before(site, fault, others):
            fault = site.ledger.put(fault.at("applying", before))
        await row.actuator.apply(site, fault, others)
    except BaseException:
        await heal(site, fault)
        raise
    if lasts(fault.kind, fault.parameters):
        return site.ledger.put(fault.at("active"))
    site.ledger.drop(fault.id)  # it happened; there is nothing to undo
    return fault.at("active")


async def heal(site: Site, fault: Fault) -> None:
    """Undo a fault and prove it: the record is dropped only after the effect was seen gone."""
    fault = site.ledger.put(fault.at("healing"))
    await CATALOGUE[fault.kind].actuator.clear(site, fault, standing(site, fault))
    site.ledger.drop(fault.id)


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
