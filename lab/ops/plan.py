"""Prints what `up` would do now, against the live state of the lab."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.mesh.protocol import Task, TaskName
from lab.mesh.select import mesh_of
from lab.ops.answer import Answer
from lab.ops.created import Creation, creations
from lab.ops.inventory import observe, wished
from lab.ops.labs import Lab, from_file
from lab.plan.addresses import LabPlan
from lab.plan.steps import Observed, Step, Verb, diff
from lab.topology.model import EngineName

Words = Mapping[Verb, tuple[str, str]]
GUEST_WORDS: Words = {
    Verb.START_CLUSTER: ("join cluster", "is not used by this lab"),
    Verb.STOP_CLUSTER: ("leave cluster", "is not where the topology says, or no longer in it"),
}
"""How steps read for clusters that the lab neither starts nor stops, and why they are done."""


def plan(
    file: str,
    *,
    lab: str = "",
    engine: EngineName | None = None,
    clusters: tuple[str, ...] = (),
    variant: str = "",
    offline: bool = False,
) -> Answer:
    """The steps from the live state to the topology file."""
    target = from_file(file, lab, engine, variant, offline=offline)
    target.chosen(clusters)
    steps, commands = asyncio.run(_steps(target, clusters))
    made = asyncio.run(creations(target, target.chosen(clusters))) if target.is_guest and steps else []
    rows: list[dict[str, object]] = [
        {"verb": s.verb, "target": s.target, "reason": s.reason, "after": list(s.after)} for s in steps
    ]
    rows += [{"verb": "command", "target": where, "command": line} for where, line in commands]
    rows += [
        {"verb": "create", "target": one.cluster, "object": one.object, "outside": one.is_outside}
        for one in made
    ]
    if not rows:
        return Answer(rows, f"lab {target.name}: nothing to do")
    view = _view(steps, commands, _words(target))
    return Answer(rows, Group(*view, *_created(made)))


async def _steps(lab: Lab, only: tuple[str, ...]) -> tuple[tuple[Step, ...], list[tuple[str, str]]]:
    """The steps, and the commands of the engine and the mesh among them."""
    async with AsyncExitStack() as stack:
        clients = await connect_running(lab, stack)
        observed = await observe(lab, clients) if clients else Observed()
        plan = restricted(lab, only, set(clients))
        steps = diff(await wished(lab.topology, is_plan=True), observed, only)
        tasks = [Task(_TASKS[step.verb], step.clusters) for step in steps if step.verb in _TASKS]
        mesh = mesh_of(lab.topology, lab.dir)
        return steps, [
            *await lab.engine.commands(lab.dir, plan),
            *await mesh.commands(tasks, clients),
        ]


_TASKS: Mapping[Verb, TaskName] = {
    Verb.UNLINK: "unlink",
    Verb.INSTALL_MESH: "install",
    Verb.LINK: "link",
}


def restricted(lab: Lab, only: tuple[str, ...], running: set[str]) -> LabPlan:
    """The plan of the chosen clusters and of those that run already."""
    kept = tuple(one for one in lab.plan.clusters if not only or one.name in running | set(only))
    names = {one.name for one in kept}
    return replace(
        lab.plan, clusters=kept, flat_pairs=tuple(p for p in lab.plan.flat_pairs if names >= set(p))
    )


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


def _words(lab: Lab) -> Words:
    links = {Verb.LINK: ("look for link", "must be there")} if lab.topology.mesh.provider == "user" else {}
    return {**(GUEST_WORDS if lab.is_guest else {}), **links}


def _view(steps: tuple[Step, ...], commands: list[tuple[str, str]], words: Words) -> list[RenderableType]:
    said = "".join(f"\n# {where}\n{line}" for where, line in commands)
    return [*([_table(steps, words)] if steps else []), *([Text(f"\nCOMMANDS{said}")] if commands else [])]


def _created(made: list[Creation]) -> Iterator[RenderableType]:
    """What would be created, a block for each cluster and side of the lab's namespaces."""
    for is_outside, title in ((True, "outside the lab's namespaces"), (False, "in the lab's namespaces")):
        if rows := [one for one in made if one.is_outside == is_outside]:
            said = "".join(f"\n{one.cluster}  {one.object}" for one in rows)
            yield Text(f"\nWOULD BE CREATED {title}{said}")


def _table(steps: tuple[Step, ...], words: Words) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("STEP", "ON", "BECAUSE IT"):
        table.add_column(column)
    for step in steps:
        verb, reason = words.get(step.verb, (step.verb.replace("-", " "), step.reason))
        table.add_row(verb, step.target, reason)
    return table
