"""What is in force and belongs to no recorded fault: parts of the engine, and objects for the mesh."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.faults.catalogue import ENGINE, MESH
from lab.faults.meshmade import MeshMade
from lab.faults.model import Fault
from lab.faults.site import Site
from lab.kube import objects

log = get_logger(__name__)


@dataclass(frozen=True)
class Stray:
    """Something in force that nobody has asked for; `lift` undoes it and proves it."""

    kind: str
    target: str
    lift: Callable[[], Awaitable[None]]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


async def of_engine(site: Site, recorded: Collection[Fault]) -> list[Stray]:
    """Parts in force, in the order of their names."""
    return [
        Stray(
            part.kind, str(part).removeprefix(f"{part.kind} "), partial(ENGINE.lift, site, frozenset({part}))
        )
        for part in sorted(await ENGINE.strays(site, recorded), key=str)
    ]


async def of_mesh(site: Site, recorded: Collection[Fault]) -> list[Stray]:
    """Objects in clusters whose API servers answer; the others' cannot act on anything new either."""
    ids = {fault.id for fault in recorded}
    clusters = (await site.engine.observe(site.dir)).clusters
    found = await together(*(_of(site, maker, cluster, ids) for cluster in clusters for maker in MESH))
    return [stray for some in found for stray in some]


async def _of(site: Site, maker: MeshMade, cluster: str, ids: Collection[str]) -> list[Stray]:
    try:
        found = await maker.strays(site, cluster, ids)
    except LabError as error:
        log.debug("cannot be asked for faults without a record", cluster=cluster, error=error)
        return []
    return [
        Stray(
            obj["kind"],
            f"{cluster}/{objects.namespace(obj)}/{objects.name(obj)}",
            partial(maker.lift, site, cluster, obj),
        )
        for obj in found
    ]
