"""The kind engine: clusters are kind's, side by side on one Docker network of the lab's own.

Every verb starts from what Docker and the nodes' kernels report. The order in which a lab comes up is in
`converge`; faults are in `faults`.
"""

import shutil

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.engines.kind import cache, converge, daemon, design, faults, kubeconfig, look, names
from lab.engines.kind.acts import RunDocker
from lab.engines.kind.daemon import Daemon
from lab.engines.kind.nodes import Node, by_cluster
from lab.engines.kind.perform import perform
from lab.engines.protocol import (
    ActualFaults,
    ClusterState,
    Component,
    ComponentState,
    EngineFault,
    EngineState,
    Progress,
)
from lab.plan.addresses import LabPlan, addresses
from lab.topology.load import load

_COMPONENT: dict[str, ComponentState] = {"running": "running", "paused": "paused", "stopped": "stopped"}


class KindEngine:
    """See lab.engines.protocol.Engine for what each method promises."""

    name = "kind"

    def is_running(self, lab: LabDir) -> bool:
        return daemon.is_running(_whole(lab))

    async def observe(self, lab: LabDir) -> EngineState:
        lab = _whole(lab)
        async with await Daemon.connect() as docker:
            ground = faults.Ground(docker, _plan(lab), by_cluster(await docker.nodes(lab)))
            actual = await faults.read(ground)
            wirings = await look.wirings(docker, tuple(ground.nodes(ground.clusters)))
        adrift = {
            **design.adrift(ground.plan, ground.clusters, wirings),
            **kubeconfig.moved(lab, ground.clusters),
        }
        plans = {one.name: one for one in ground.plan.clusters}
        clusters = {
            name: ClusterState(
                name=name,
                api=kubeconfig.local_url(nodes[0].api_port),
                node_ip=nodes[0].address,
                network=plans[name].network if name in plans else "",
                paused=name in actual.paused,
                components=_components(nodes, api_down=(name, "apiserver") in actual.stopped),
                adrift=adrift.get(name, ""),
            )
            for name, nodes in ground.clusters.items()
        }
        is_up = any(node.state in look.REACHABLE for node in ground.nodes(clusters))
        return EngineState(running=is_up, clusters=clusters, faults=actual)

    async def ensure(self, lab: LabDir, plan: LabPlan, progress: Progress) -> None:
        await converge.bring_up(lab, plan, progress)

    async def commands(self, lab: LabDir, plan: LabPlan) -> list[tuple[str, str]]:
        return await converge.lines(_whole(lab), plan)

    async def remove(self, lab: LabDir, *, purge: bool = False) -> None:
        lab = _whole(lab)
        async with await Daemon.connect() as docker:
            for cluster in by_cluster(await docker.nodes(lab)):
                await perform(docker, design.delete_cluster(lab, cluster))
            for argv in cache.leave(names.network(lab.name), await docker.cache()):
                await perform(docker, RunDocker("lab", argv, daemon.SECONDS))
            for network in await docker.lab_networks(lab):
                await docker.remove_network(network)
            left = [node.name for node in await docker.nodes(lab)]
        if left:
            raise LabError(f"kind left {', '.join(left)}", remedy=f"docker rm --force -v {' '.join(left)}")
        if purge:
            shutil.rmtree(lab.root / "clusters", ignore_errors=True)

    async def apply_fault(self, lab: LabDir, fault: EngineFault) -> None:
        async with await Daemon.connect() as docker:
            await faults.apply(await _ground(docker, lab), fault)
            if not (await faults.read(await _ground(docker, lab))).holds(fault):
                raise LabError(f"the {fault.kind} of {_names(fault)} is not in force after it was applied")

    async def clear_fault(self, lab: LabDir, fault: EngineFault) -> None:
        async with await Daemon.connect() as docker:
            await faults.clear(await _ground(docker, lab), fault)
            if fault.kind == "node":  # a node that comes back has lost its routes, and maybe its address
                await converge.settle(docker, _whole(lab), _plan(_whole(lab)))
            if (await faults.read(await _ground(docker, lab))).touches(fault):
                raise LabError(f"the {fault.kind} of {_names(fault)} is still in force", remedy="heal again")

    async def read_faults(self, lab: LabDir) -> ActualFaults:
        async with await Daemon.connect() as docker:
            return await faults.read(await _ground(docker, lab))


async def _ground(docker: Daemon, lab: LabDir) -> faults.Ground:
    lab = _whole(lab)
    return faults.Ground(docker, _plan(lab), by_cluster(await docker.nodes(lab)))


def _whole(lab: LabDir) -> LabDir:
    """The lab's folder as it is written on Docker's objects."""
    return LabDir(lab.root.resolve())


def _plan(lab: LabDir) -> LabPlan:
    """The plan of the topology that the lab was brought up with."""
    return addresses(load(str(lab.topology)))


def _components(nodes: tuple[Node, ...], *, api_down: bool) -> dict[str, Component]:
    """None for a cluster with a node that just ended: `up` completes it."""
    state = _COMPONENT.get(nodes[0].state)
    if state is None or any(node.state not in _COMPONENT for node in nodes):
        return {}
    return {
        "apiserver": Component("apiserver", "stopped" if api_down else state),
        "node": Component("node", state),
    }


def _names(fault: EngineFault) -> str:
    others = f" from {', '.join(sorted(fault.others))}" if fault.others else ""
    return ", ".join(sorted(fault.clusters)) + others
