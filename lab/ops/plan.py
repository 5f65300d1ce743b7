"""Prints what `up` would do now, against the live state of the lab."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from rich.table import Table

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.ops.answer import Answer
from lab.ops.inventory import observe, wanted
from lab.ops.labs import Lab, from_file
from lab.plan.steps import Observed, Step, diff
from lab.topology.model import EngineName


def plan(
    file: str,
    *,
    lab: str = "",
    engine: EngineName | None = None,
    clusters: tuple[str, ...] = (),
    variant: str = "",
) -> Answer:
    """The steps from the live state to the topology file."""
    target = from_file(file, lab, engine, variant)
    target.chosen(clusters)
    steps = asyncio.run(_steps(target, clusters))
    rows = [{"verb": s.verb, "target": s.target, "reason": s.reason, "after": list(s.after)} for s in steps]
    return Answer(rows, _table(steps) if steps else f"lab {target.name}: nothing to do")


async def _steps(lab: Lab, only: tuple[str, ...]) -> tuple[Step, ...]:
    async with AsyncExitStack() as stack:
        clients = await connect_running(lab, stack)
        observed = await observe(lab, clients) if clients else Observed()
        return diff(wanted(lab.topology), observed, only)


async def connect_running(lab: Lab, stack: AsyncExitStack) -> Mapping[str, Client]:
    """A client for each cluster that runs now; closed with the stack.

    One that an interrupted `up` began does not count: starting it again completes it.

    Raises LabError for a cluster whose API server cannot be asked: a plan without it would be a guess.
    """
    if not lab.engine.is_running(lab.dir):
        return {}
    state = await lab.engine.observe(lab.dir)
    begun = {name: cluster for name, cluster in state.clusters.items() if cluster.is_complete}
    stuck = [name for name, cluster in begun.items() if cluster.paused or not cluster.api_is_running]
    if stuck:
        raise LabError(
            f"cannot compare with {', '.join(stuck)}: paused, or without an API server",
            remedy="`lab fault.list` shows why; `lab fault.heal --all` brings it back",
        )
    return {name: await stack.enter_async_context(await lab.connect(name)) for name in begun}


def _table(steps: tuple[Step, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("STEP", "ON", "BECAUSE IT"):
        table.add_column(column)
    for step in steps:
        table.add_row(step.verb.replace("-", " "), step.target, step.reason)
    return table
