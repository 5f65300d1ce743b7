"""How `up` left a lab, so that healing can prove that nothing of a fault is left.

`up` and whatever converges a lab write it, while no fault stands: the engine's readings and the replicas of
every Deployment. `fault.heal --all` compares, place by place. Kept in the lab's folder.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.base.concurrent import together
from lab.base.state import write_private
from lab.engines.protocol import EngineState, parts_of
from lab.faults import workloads
from lab.faults.site import Site
from lab.kube import objects
from lab.kube.kinds import DEPLOYMENTS

Readings = Mapping[str, str]
"""Place -> what is there; places of Deployments are CLUSTER/NAMESPACE/NAME."""
NOTHING = "nothing"
REPLICAS = "replicas"
FILE = "baseline.json"


@dataclass(frozen=True)
class Difference:
    """A place that is not as `up` left it, and what puts that right."""

    place: str
    left: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: `up` left {self.left}, there is {self.found}; {self.remedy}"


async def readings(site: Site, state: EngineState) -> Readings:
    """What is there now. Raises LabError where a cluster does not answer."""
    rows = await together(*(_replicas(site, cluster) for cluster in state.clusters))
    return dict(sorted({**state.readings, **{k: v for row in rows for k, v in row.items()}}.items()))


async def keep(site: Site) -> None:
    """Remember the lab as it is now, unless a fault stands: then what was remembered before stays."""
    state = await site.engine.observe(site.dir)
    if not site.ledger.read() and not parts_of(state.faults):
        write_private(site.dir.root / FILE, json.dumps(await readings(site, state), indent=1))


async def compare(site: Site) -> tuple[Difference, ...]:
    """Where the lab differs from how `up` left it."""
    file = site.dir.root / FILE
    if not file.exists():
        return (Difference("lab", "no record of its state", "a lab", f"`lab up` makes {FILE}"),)
    found = await readings(site, await site.engine.observe(site.dir))
    return tuple(differences(site.dir.name, json.loads(file.read_text()), found))


def differences(lab: str, left: Readings, found: Readings) -> Iterator[Difference]:
    """Places that differ. Deployments that are new since then are the user's, who may have any. Pure."""
    for place in sorted({*left, *found}):
        before, now = left.get(place, NOTHING), found.get(place, NOTHING)
        if before != now and not (now.endswith(REPLICAS) and place not in left):
            yield Difference(place, before, now, _remedy(lab, place, before))


def _remedy(lab: str, place: str, before: str) -> str:
    if not before.endswith(REPLICAS):
        return "`lab up` puts clusters and their network right; `lab down` and `lab up` start afresh"
    cluster, namespace, name = place.split("/")
    count = before.split()[0]
    return (
        f"kubectl --context {lab}-{cluster} -n {namespace} scale deployment {name} --replicas={count}, or "
        "`lab up` if it is meant"
    )


async def _replicas(site: Site, cluster: str) -> dict[str, str]:
    async with await site.connect(cluster) as client:
        found = [one for one in await client.list(DEPLOYMENTS) if client.owns(one)]
    return {
        f"{cluster}/{objects.namespace(one)}/{objects.name(one)}": f"{workloads.replicas(one)} {REPLICAS}"
        for one in found
    }
