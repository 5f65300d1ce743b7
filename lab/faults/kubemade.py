"""Faults made through the Kubernetes API, alike on every engine: scaled Deployments and killed pods.

What healing restores are the replicas that were wanted before any fault changed them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.faults import workloads
from lab.faults.actuator import Others
from lab.faults.model import Fault
from lab.faults.settings import seed, share
from lab.faults.site import Site
from lab.kube import objects
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS

log = get_logger(__name__)
Replicas = Mapping[str, int]
"""By place: cluster/namespace/name of a Deployment."""


@dataclass(frozen=True)
class Scaled:
    """Deployments at another number of replicas, to none unless told otherwise."""

    async def before(self, site: Site, fault: Fault, others: Others) -> Replicas:
        found: dict[str, int] = {}
        for cluster in fault.target.clusters:
            async with await site.connect(cluster) as client:
                for deployment in await workloads.deployments(client, workloads.selection(fault)):
                    place = f"{cluster}/{objects.namespace(deployment)}/{objects.name(deployment)}"
                    found[place] = workloads.replicas(deployment)
        return original(found, others)

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        await _scale_all(site, wanted(fault))

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        await _scale_all(site, restored(fault, others))

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        mine = overruled(fault, others)
        try:
            seen = await together(*(_replicas(site, place) for place in mine))
        except LabError:
            return None  # the cluster does not answer, which may be another fault's doing
        return list(mine.values()) == seen


@dataclass(frozen=True)
class Killed:
    """Pods, or a share of them, deleted without grace. It happens; nothing stands that could be healed."""

    async def before(self, site: Site, fault: Fault, others: Others) -> Replicas:
        return {}

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        for cluster in fault.target.clusters:
            async with await site.connect(cluster) as client:
                await workloads.kill(client, workloads.selection(fault), share(fault), seed(fault))

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        """Nothing to do: the pods' controller makes new ones."""

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        return None


def wanted(fault: Fault) -> Replicas:
    """The replicas that a fault asks for. Pure."""
    return dict.fromkeys(fault.before, fault.parameters.get("replicas", 0))


def original(found: Replicas, others: Others) -> Replicas:
    """The replicas from before any fault: where others changed them, those that they found. Pure."""
    result = dict(found)
    for other in reversed(others):
        result.update({place: count for place, count in other.before.items() if place in result})
    return result


def restored(fault: Fault, others: Others) -> Replicas:
    """The replicas to go back to: what was there before, or what the latest other fault wants. Pure."""
    result = dict(fault.before)
    for other in others:
        result.update({place: count for place, count in wanted(other).items() if place in result})
    return result


def overruled(fault: Fault, others: Others) -> Replicas:
    """The replicas to be seen while a fault stands: its own, or those of later faults on its places. Pure."""
    result = dict(wanted(fault))
    for other in others:
        if other.since > fault.since:
            result.update({place: count for place, count in wanted(other).items() if place in result})
    return result


async def _scale_all(site: Site, counts: Replicas) -> None:
    await together(*(_scale(site, place, count) for place, count in counts.items()))


async def _scale(site: Site, place: str, count: int) -> None:
    cluster, namespace, name = place.split("/")
    async with await site.connect(cluster) as client:
        try:
            await workloads.scale(client, namespace, name, count)
        except NotFound:
            log.info("a scaled Deployment is gone", place=place)  # deleted meanwhile: nothing to scale


async def _replicas(site: Site, place: str) -> int | None:
    cluster, namespace, name = place.split("/")
    async with await site.connect(cluster) as client:
        try:
            return workloads.replicas(await client.get(DEPLOYMENTS, name, namespace))
        except NotFound:
            return None
