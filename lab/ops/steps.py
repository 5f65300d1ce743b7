"""Carries out the steps of a plan: each waits for those it needs, everything else runs side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.base.concurrent import together
from lab.kube import objects, record
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import CONFIG_MAPS
from lab.kube.manifests import apply_all
from lab.kube.objects import Object
from lab.mesh.protocol import Mesh, MeshCluster
from lab.mesh.specs import link_spec
from lab.ops.inventory import hashes, list_served, shipped_manifests, user_manifests
from lab.ops.labs import Lab
from lab.ops.progress import Progress
from lab.plan.desired import Desired
from lab.plan.steps import Step, Verb
from lab.plan.workloads import (
    OWN,
    PART_KINDS,
    PART_LABEL,
    TRAFFIC,
    Manifests,
    app_objects,
    idle,
    namespaces,
    traffic_objects,
)

MANIFESTS = f"manifest{record.LISTS}"
"""Entry of the record: what was applied of the user's manifests."""


@dataclass(frozen=True)
class World:
    """What steps act on. Clusters are running by the time a step gets here."""

    lab: Lab
    mesh: Mesh
    clusters: Mapping[str, MeshCluster]
    desired: Desired
    progress: Progress
    manifests: Manifests = field(default_factory=shipped_manifests)

    def client(self, cluster: str) -> Client:
        return self.clusters[cluster].client


async def prepare(world: World, steps: Sequence[Step]) -> None:
    """Do every step but those that start traffic: of these, only what takes time and sends nothing yet."""
    await _carry_out(world, steps, {**ACTIONS, Verb.START_TRAFFIC: _prepare_traffic})


async def carry_out(world: World, steps: Sequence[Step]) -> None:
    """Do every step; the first that fails cancels the others and is raised."""
    await _carry_out(world, steps, ACTIONS)


async def _carry_out(world: World, steps: Sequence[Step], actions: Mapping[Verb, "Action"]) -> None:
    done = {step.id: asyncio.Event() for step in steps}

    async def one(step: Step) -> None:
        for needed in step.after:
            if needed in done:
                await done[needed].wait()
        world.progress(step.target, f"{step.verb.replace('-', ' ')} ({step.reason})")
        await actions[step.verb](world, step)
        world.progress(step.target, f"{step.verb.replace('-', ' ')}: done")
        done[step.id].set()

    await together(*(one(step) for step in steps))


async def _install_mesh(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    client = world.client(cluster)
    await world.mesh.install(world.clusters[cluster])
    await apply_all(client, namespaces(world.lab.topology, world.manifests))
    state = world.desired.mesh[cluster]
    await record.note(client, {"mesh": f"{state.version} {state.config}"})


async def _link(world: World, step: Step) -> None:
    source, target = step.clusters
    spec = link_spec(world.lab.topology, source, target)
    await world.mesh.link(world.clusters[source], world.clusters[target], spec)


async def _unlink(world: World, step: Step) -> None:
    source, target = step.clusters
    await world.mesh.unlink(world.clusters[source], target)


async def _deploy_app(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await _converge(
        world, cluster, step.subject, app_objects(world.lab.topology, step.subject, cluster, world.manifests)
    )


async def _remove_app(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await _converge(world, cluster, step.subject, ())


async def _prepare_traffic(world: World, step: Step) -> None:
    """Deploy a load generator that has nothing to call yet; one that runs already goes on as it is."""
    (cluster,) = step.clusters
    wanted = traffic_objects(world.lab.topology, cluster, world.manifests)
    place = next(objects.key(obj) for obj in wanted if objects.name(obj) == "loadgen-targets")
    try:
        await world.client(cluster).get(CONFIG_MAPS, place[1], place[0])
    except NotFound:
        await apply_all(world.client(cluster), idle(wanted))


async def _start_traffic(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await _converge(world, cluster, TRAFFIC, traffic_objects(world.lab.topology, cluster, world.manifests))


async def _stop_traffic(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await _converge(world, cluster, TRAFFIC, ())


async def _converge(world: World, cluster: str, part: str, wanted: tuple[Object, ...]) -> None:
    """Make a part of the topology consist of exactly these objects in one cluster."""
    client = world.client(cluster)
    await apply_all(client, wanted)
    kept = hashes(wanted)
    for kind in PART_KINDS:
        for obj in await list_served(client, kind, f"{OWN},{PART_LABEL}={part}"):
            if (obj["kind"], *objects.key(obj)) not in kept:
                await record.delete(client, obj)


async def _apply_manifests(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await record.converge(world.client(cluster), MANIFESTS, user_manifests(world.lab.topology))
    await record.note(world.client(cluster), {"manifests": world.desired.manifests[cluster]})


async def _remove_manifests(world: World, step: Step) -> None:
    (cluster,) = step.clusters
    await record.converge(world.client(cluster), MANIFESTS, ())
    await record.note(world.client(cluster), {"manifests": None})


Action = Callable[[World, Step], Awaitable[None]]
ACTIONS: Mapping[Verb, Action] = {
    Verb.STOP_TRAFFIC: _stop_traffic,
    Verb.REMOVE_MANIFESTS: _remove_manifests,
    Verb.REMOVE_APP: _remove_app,
    Verb.UNLINK: _unlink,
    Verb.INSTALL_MESH: _install_mesh,
    Verb.PREPARE: _install_mesh,
    Verb.LINK: _link,
    Verb.APPLY_MANIFESTS: _apply_manifests,
    Verb.DEPLOY_APP: _deploy_app,
    Verb.START_TRAFFIC: _start_traffic,
}
"""What each verb does. Starting and stopping clusters is the engine's, which does it for all at once."""
