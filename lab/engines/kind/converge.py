"""Brings a lab's kind clusters in line with the plan: look, design, check, carry out, then settle.

Nothing is created before the design is known to fit this machine and this Docker. Clusters that a fault holds
down are neither started nor wired.
"""

import asyncio
import os
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import yaml

from lab.base import process
from lab.base.concurrent import together
from lab.base.errors import EngineUnavailable, LabError, UsageError
from lab.base.state import LabDir, make_private
from lab.base.wait import until
from lab.engines.kind import design, kubeconfig, look, names, stock, supply
from lab.engines.kind.acts import Act
from lab.engines.kind.apps import apps_image
from lab.engines.kind.daemon import Daemon, Network
from lab.engines.kind.design import Present
from lab.engines.kind.images import NEWEST, Images, canonical, node_image, release_of, tagged
from lab.engines.kind.nodes import Node, by_cluster
from lab.engines.kind.perform import in_node, perform
from lab.engines.kind.preflight import Finding, limits, memory_available
from lab.engines.protocol import Progress
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.kinds import NODES
from lab.plan.addresses import LabPlan

MEMORY_PER_CLUSTER = 2 << 30
ADMIN_FILE = "/etc/kubernetes/admin.conf"
API_SECONDS = 120.0
NOTHING = Present()


async def bring_up(lab: LabDir, plan: LabPlan, progress: Progress) -> None:
    """Make the lab's clusters exist, answer, and reach each other as the plan says."""
    lab = LabDir(make_private(lab.root).resolve())
    async with await Daemon.connect() as daemon:
        seen = await look.present(daemon, lab, plan)
        images = await images_of(plan, seen)
        todo = design.creation(lab, plan, images, seen)
        if todo.acts:
            refuse_conflicts(await daemon.networks(), lab, plan)
            _refuse_limits(await limits(daemon, [act.where for act in todo.acts if act.where != "lab"]))
        await _carry_out(daemon, todo, progress)
        await settle(daemon, lab, plan)
        await _load(daemon, lab, plan, images, progress)


async def _load(daemon: Daemon, lab: LabDir, plan: LabPlan, images: Images, progress: Progress) -> None:
    seen = await look.present(daemon, lab, plan)
    for act in supply.mirroring(plan, seen):
        await perform(daemon, act)
    await _carry_out(daemon, supply.loading(lab, images, seen), progress)


async def images_of(plan: LabPlan, seen: Present = NOTHING) -> Images:
    """The images for the kind that is installed. Raises EngineUnavailable for a lab that is to be offline and
    has not got all of them."""
    said = await process.run(("kind", "version"), timeout=20)
    return await asyncio.to_thread(_images, plan, seen, release_of(said.stdout))


def _images(plan: LabPlan, seen: Present, release: str) -> Images:
    node = node_image(release, plan.kind.kubernetes, plan.kind.image)
    images = Images(node, apps_image(plan.kind.python))
    if plan.kind.offline:
        by_tag = node if canonical(node) in seen.images else tagged(node)  # archives have no digests
        images = stock.complete(replace(images, node=by_tag))
        stock.refuse_absent(images, seen.images)
    return images


async def settle(daemon: Daemon, lab: LabDir, plan: LabPlan) -> None:
    """What follows from the addresses that nodes have now, which Docker gives anew at each of its starts:
    kubeconfigs, routes, and the senders' addresses. Can be repeated."""
    nodes = await daemon.nodes(lab)
    await _write_kubeconfigs(daemon, lab, nodes)
    nodes = await with_pods(lab, plan, nodes)
    for act in design.wiring(plan, nodes, await look.wirings(daemon, nodes)):
        await perform(daemon, act)


def refuse_conflicts(networks: list[Network], lab: LabDir, plan: LabPlan) -> None:
    """Raises UsageError that names another network in the way: of the same name, or with the same addresses;
    LabError for the lab's own with addresses of before, which is there for `down` to find."""
    for other in networks:
        if (other.lab, other.folder) == (lab.name, str(lab.root)):
            if plan.lab_cidr not in other.subnets:
                has = ", ".join(other.subnets)
                raise LabError(
                    f"the network {other.name} has {has}, and now {plan.lab_cidr} is wanted",
                    remedy="`lab down`, then `lab up`: addresses of nodes cannot be changed",
                )
            continue
        name = f"{other.name} of lab {other.lab} in {other.folder}" if other.lab else other.name
        if other.name == names.network(lab.name):
            raise UsageError(
                f"Docker already has a network {name}",
                remedy="give this lab another name: `lab up FILE --lab NAME`",
            )
        for subnet in other.subnets:
            if ":" not in subnet and IPv4Network(subnet).overlaps(IPv4Network(plan.lab_cidr)):
                raise UsageError(
                    f"the Docker network {name} has {subnet}, which overlaps this lab's {plan.lab_cidr}",
                    remedy="choose another under `kind: {subnet: 172.29.0.0/16}` in the topology",
                )


async def _carry_out(daemon: Daemon, todo: design.Design, progress: Progress) -> None:
    for act in todo.first:
        await _one(daemon, act, progress)
    gate = asyncio.Semaphore(side_by_side(os.cpu_count() or 1, memory_available()))

    async def one(acts: tuple[Act, ...]) -> None:
        async with gate:
            for act in acts:
                await _one(daemon, act, progress)

    await together(*(one(acts) for acts in todo.clusters.values()))
    for act in todo.last:
        await _one(daemon, act, progress)


async def _one(daemon: Daemon, act: Act, progress: Progress) -> None:
    progress(act.where, act.line.partition("\n")[0])
    await perform(daemon, act)


def side_by_side(cpus: int, memory: int) -> int:
    """How many clusters are made at once: two processors and 2 GiB of free memory for each, one at least."""
    return max(1, min(cpus // 2, memory // MEMORY_PER_CLUSTER))


def _refuse_limits(findings: list[Finding]) -> None:
    if missing := [one for one in findings if not one.ok]:
        listed = "".join(f"\n  {one.need}: {one.seen}" for one in missing)
        raise EngineUnavailable(
            f"this machine cannot hold these clusters:{listed}",
            remedy="; ".join(one.remedy for one in missing),
        )


async def _write_kubeconfigs(daemon: Daemon, lab: LabDir, nodes: tuple[Node, ...]) -> None:
    heads = {cluster: group[0] for cluster, group in by_cluster(nodes).items()}
    servers = {
        cluster: (kubeconfig.local_url(node.api_port), kubeconfig.api_url(node.address))
        for cluster, node in heads.items()
    }
    running = {cluster: node for cluster, node in heads.items() if node.state == "running"}
    files = await together(*(_admin(daemon, node) for node in running.values()))
    kubeconfig.write(lab, dict(zip(running, files, strict=True)), servers)


async def _admin(daemon: Daemon, node: Node) -> dict[str, Any]:
    text = await in_node(daemon, node, ("cat", ADMIN_FILE))
    document: dict[str, Any] = yaml.safe_load(text)
    return document


async def with_pods(lab: LabDir, plan: LabPlan, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes with the networks of their pods. A cluster of one node has them all; of several, Kubernetes
    says which node got which part."""
    flat = {name for pair in plan.flat_pairs for name in pair}
    known: dict[str, tuple[str, ...]] = {}
    for cluster, group in by_cluster(nodes).items():
        ranges = {one.name: one.pod_cidr for one in plan.clusters}
        if len(group) == 1 and cluster in ranges:
            known[group[0].name] = (ranges[cluster],)
        elif cluster in flat and group[0].state == "running":
            known |= await _pods_of(lab, cluster)
    return tuple(replace(node, pods=known.get(node.name, ())) for node in nodes)


async def _pods_of(lab: LabDir, cluster: str) -> dict[str, tuple[str, ...]]:
    async with await Client.from_kubeconfig(lab.kubeconfig, lab.context(cluster)) as client:

        async def all_have_theirs() -> dict[str, tuple[str, ...]] | None:
            listed = await client.list(NODES)
            found = {objects.name(one): tuple(objects.spec(one).get("podCIDRs") or ()) for one in listed}
            return found if all(found.values()) else None

        what = f"every node of {cluster} has a network for its pods"
        return await until(all_have_theirs, timeout=API_SECONDS, what=what, every=0.5) or {}


async def lines(lab: LabDir, plan: LabPlan) -> list[tuple[str, str]]:
    """Where and what: every command that `bring_up` would run now, as far as one can know before.

    Without Docker or kind it is what they would be asked on an empty machine.
    """
    try:
        async with await Daemon.connect() as daemon:
            seen = await look.present(daemon, lab, plan)
    except EngineUnavailable:
        seen = NOTHING
    try:
        images = await images_of(plan, seen)
    except process.NotInstalled:
        images = _images(plan, seen, NEWEST)
    todo = design.creation(lab, plan, images, seen)
    nodes = await with_pods(lab, plan, design.expected(plan, by_cluster(seen.nodes)))
    there = replace(seen, nodes=nodes)
    load = [*supply.mirroring(plan, there), *supply.loading(lab, images, there).acts]
    acts = [*todo.acts, *design.wiring(plan, nodes, seen.wiring), *load]
    return [(act.where, act.line) for act in acts]
