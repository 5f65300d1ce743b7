"""Brings a lab up, or in line with its topology: observe, plan, carry out, watch until it is well.

Running it again touches only what differs. Ctrl-C leaves a lab that `up` completes or `down` removes.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from lab.base.errors import CheckFailed, EngineUnavailable
from lab.base.log import get_logger
from lab.base.state import make_private, write_private
from lab.base.wait import pause
from lab.engines.lock import held
from lab.mesh.select import mesh_of
from lab.observe.state import LabState
from lab.ops.answer import Answer
from lab.ops.inventory import observe, wanted
from lab.ops.labs import Lab, from_file
from lab.ops.plan import connect_running
from lab.ops.progress import Progress
from lab.ops.status import answer, observer, only
from lab.ops.steps import World, carry_out
from lab.plan.steps import Observed, Step, Verb, diff
from lab.topology.links import directed_links
from lab.topology.load import dump
from lab.topology.model import EngineName

log = get_logger(__name__)
HEALTHY_WITHIN = 90.0
"""Seconds for a lab whose steps are all done to become healthy."""
ENGINE_VERBS = frozenset({Verb.START_CLUSTER, Verb.STOP_CLUSTER})


def up(
    file: str, *, lab: str = "", engine: EngineName | None = None, clusters: tuple[str, ...] = ()
) -> Answer:
    """Bring up what the topology file says and wait until it is healthy. Raises CheckFailed if it is not."""
    target = from_file(file, lab, engine)
    target.chosen(clusters)
    _refuse_impairments(target)
    with held(make_private_dir(target), "up"):
        return answer(asyncio.run(_up(target, clusters)))


def make_private_dir(lab: Lab) -> LabDir:
    make_private(lab.dir.root)
    return lab.dir


def _refuse_impairments(lab: Lab) -> None:
    """Asking for a slow network and getting a fast one would be a lie: say that it cannot be had yet."""
    asked = [f"{link}: {', '.join(link.wan.words())}" for link in directed_links(lab.topology) if link.wan.words()]
    if asked:
        raise EngineUnavailable(
            f"engine {lab.engine.name} cannot impair links yet; asked for {'; '.join(asked)}",
            remedy="remove delay, jitter, loss and rate from the links",
        )


async def _up(lab: Lab, clusters: tuple[str, ...]) -> LabState:
    with Progress() as progress:
        async with AsyncExitStack() as stack:
            steps = await converge(lab, clusters, stack, progress)
            progress("lab", f"{len(steps)} steps done" if steps else "nothing to do")
            return only(await _healthy(lab, clusters, progress), lab.chosen(clusters))


async def converge(
    lab: Lab, clusters: tuple[str, ...], stack: AsyncExitStack, progress: Progress | None = None
) -> tuple[Step, ...]:
    """Carry out what differs between the topology and the live lab; returns the steps that were done."""
    say = progress or Progress()
    clients = await connect_running(lab, stack)
    desired = wanted(lab.topology)
    steps = diff(desired, await observe(lab, clients) if clients else Observed(), clusters)
    await _engine_part(lab, clusters, steps, say)
    write_private(lab.dir.topology, dump(lab.topology))
    rest = [step for step in steps if step.verb not in ENGINE_VERBS]
    if rest:
        world = World(lab, mesh_of(lab.topology, lab.dir), await _clusters(lab, clusters, stack), desired, say)
        await carry_out(world, rest)
    return steps
