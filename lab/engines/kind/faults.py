"""Faults on running kind clusters: packet rules and manifests inside nodes, states of containers.

A partition is dropped packets, not a node taken off its network: that would also cut this machine off its API
server, and could not be told by direction or by peer. Each change is followed by reading back; who asked for
which fault is kept in the ledger above.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.wait import until
from lab.engines.kind import dns, links, look, rules, shaping
from lab.engines.kind.daemon import Daemon
from lab.engines.kind.nodes import Node, Wiring
from lab.engines.kind.perform import in_node
from lab.engines.kind.rules import Settings
from lab.engines.kind.shaping import Layer, Way
from lab.engines.protocol import ActualFaults, DnsFailure, Drop, EngineFault, Impaired, drops_of, impaired_by
from lab.plan.addresses import LabPlan

API_SECONDS = 90.0
"""How long the kubelet may take to follow a manifest that came or went."""
HELD = {"Name": "no", "MaximumRetryCount": 0}
RESTARTING = {"Name": "on-failure", "MaximumRetryCount": 1}
"""kind's own restart policy."""


@dataclass(frozen=True)
class Ground:
    """What faults are made on."""

    daemon: Daemon
    plan: LabPlan
    clusters: Mapping[str, tuple[Node, ...]]

    def nodes(self, clusters: Iterable[str]) -> list[Node]:
        return [node for name in sorted(clusters) for node in self.clusters.get(name, ())]

    def networks(self, cluster: str) -> frozenset[str]:
        """The addresses that packets of a cluster come from."""
        return links.networks(self.plan, self.clusters, cluster)

    def ways(self, source: str) -> dict[str, Way]:
        """The ways from a cluster to all others."""
        return links.ways(self.plan, self.clusters, source)


async def read(ground: Ground) -> ActualFaults:
    """What is in force, from packet rules, container states and processes."""
    everyone = tuple(ground.nodes(ground.clusters))
    wirings = await look.wirings(ground.daemon, everyone)
    heads = {name: nodes[0] for name, nodes in ground.clusters.items()}
    silent = await together(*(look.without_api(ground.daemon, node) for node in heads.values()))
    stopped = {(name, "apiserver") for name, gone in zip(heads, silent, strict=True) if gone}
    return ActualFaults(
        drops=frozenset(
            Drop(source, target)
            for target, nodes in ground.clusters.items()
            for source in ground.clusters
            if source != target and _loses(ground, nodes, source, wirings)
        ),
        paused=_all_are(ground, "paused"),
        stopped=frozenset(stopped),
        impaired=tuple(
            Impaired(source, layer.target, layer.settings)
            for source, nodes in ground.clusters.items()
            for layer in _layers(ground, nodes, wirings)
        ),
        dead=_all_are(ground, "stopped"),
        dns=frozenset(
            DnsFailure(one.name, settings)
            for one in ground.plan.clusters
            for settings in _failing(ground.nodes([one.name]), one.dns_ip, wirings)
        ),
    )


async def apply(ground: Ground, fault: EngineFault) -> None:
    """Put a fault in force. Raises LabError where it cannot be."""
    unknown = sorted((fault.clusters | fault.others) - ground.clusters.keys())
    if unknown:
        there = ", ".join(sorted(ground.clusters)) or "none"
        raise LabError(f"{', '.join(unknown)}: not running in this lab; there are {there}")
    if fault.kind == "pause":
        await _each(ground, fault.clusters, _pause)
    elif fault.kind == "node":
        await _each(ground, fault.clusters, _kill)
    elif fault.kind == "component":
        await _each(ground, fault.clusters, _component(fault)[0])
    elif fault.kind == "partition":
        await _set_drops(ground, fault, lost=True)
    elif fault.kind == "impair":
        await _impair(ground, fault, wanted=True)
    else:
        await _set_dns(ground, fault, failing=True)


async def clear(ground: Ground, fault: EngineFault) -> None:
    """Lift a fault, as far as its clusters are still there."""
    if fault.kind == "pause":
        await _each(ground, fault.clusters, _resume)
    elif fault.kind == "node":
        await _each(ground, fault.clusters, _start)
    elif fault.kind == "component":
        await _each(ground, fault.clusters, _component(fault)[1])
    elif fault.kind == "partition":
        await _set_drops(ground, fault, lost=False)
    elif fault.kind == "impair":
        await _impair(ground, fault, wanted=False)
    else:
        await _set_dns(ground, fault, failing=False)


Change = Callable[[Daemon, Node], Coroutine[Any, Any, None]]


async def _each(ground: Ground, clusters: Iterable[str], change: Change) -> None:
    await together(*(change(ground.daemon, node) for node in ground.nodes(clusters)))


def _component(fault: EngineFault) -> tuple[Change, Change]:
    """How a component is stopped, and started."""
    if fault.component == "apiserver":
        return _stop_api, _start_api
    raise LabError(f"a component {fault.component} of a kind cluster cannot be stopped; only apiserver can")


async def _pause(daemon: Daemon, node: Node) -> None:
    if node.state == "running":
        await daemon.act_on(node.name, "pause")


async def _resume(daemon: Daemon, node: Node) -> None:
    if node.state == "paused":
        await daemon.act_on(node.name, "unpause")


async def _kill(daemon: Daemon, node: Node) -> None:
    await daemon.act_on(node.name, "update", restart_policy=HELD)
    if node.state in look.REACHABLE:
        await daemon.act_on(node.name, "kill")


async def _start(daemon: Daemon, node: Node) -> None:
    await daemon.act_on(node.name, "update", restart_policy=RESTARTING)
    if node.state not in look.REACHABLE:
        await daemon.act_on(node.name, "start")


async def _stop_api(daemon: Daemon, node: Node) -> None:
    await _move_manifest(daemon, node, look.STATIC_PODS, look.SHELF)

    async def gone() -> bool:
        return await look.without_api(daemon, node)

    await until(gone, timeout=API_SECONDS, what=f"the API server of {node.cluster} ends", every=0.2)


async def _start_api(daemon: Daemon, node: Node) -> None:
    await _move_manifest(daemon, node, look.SHELF, look.STATIC_PODS)


async def _move_manifest(daemon: Daemon, node: Node, source: str, target: str) -> None:
    """The kubelet runs what lies in its folder of manifests. Only control planes do; can be repeated."""
    if node.role != "control-plane":
        return
    name = look.API_MANIFEST
    script = f"if [ -e {source}/{name} ]; then mv {source}/{name} {target}/; else ls {target}/{name}; fi"
    await in_node(daemon, node, ("sh", "-c", script))


async def _set_drops(ground: Ground, fault: EngineFault, *, lost: bool) -> None:
    for target in sorted({drop.target for drop in drops_of(fault)} & ground.clusters.keys()):
        sources = {drop.source for drop in drops_of(fault) if drop.target == target}
        for node in ground.clusters[target]:
            await _set_node_drops(ground, node, sources, lost=lost)


async def _set_node_drops(ground: Ground, node: Node, sources: set[str], *, lost: bool) -> None:
    if node.state not in look.REACHABLE:
        if not lost:
            return  # the rules went with the node
        raise LabError(f"{node.name} does not run, so nothing can be cut there", remedy="heal that first")
    have = (await look.wirings(ground.daemon, (node,))).get(node.name, Wiring()).drops
    kept = {one for one in have if one[0] not in sources}
    added = {(source, network) for source in sources for network in ground.networks(source) if lost}
    await in_node(ground.daemon, node, rules.set_drops(kept | added))


async def _set_dns(ground: Ground, fault: EngineFault, *, failing: bool) -> None:
    for node in ground.nodes(fault.clusters):
        if node.state in look.REACHABLE:
            dns_ip = ground.plan.cluster(node.cluster).dns_ip
            seen = (await look.wirings(ground.daemon, (node,))).get(node.name, Wiring())
            others = dns.failing(seen.rules, dns_ip) - {fault.settings}
            wanted = [*sorted(others), *([fault.settings] if failing else [])]
            await in_node(ground.daemon, node, dns.fail(dns_ip, wanted))
        elif failing:
            raise LabError(
                f"{node.name} does not run, so none of its pods asks anything", remedy="heal that first"
            )


async def _impair(ground: Ground, fault: EngineFault, *, wanted: bool) -> None:
    """Lay what the fault asks over all else, or take it away, where its packets leave."""
    for one in sorted(impaired_by(fault), key=lambda one: (one.source, one.target)):
        mine = Layer(one.target, one.settings)
        for node in ground.clusters.get(one.source, ()):
            if node.state in look.REACHABLE:
                await _set_layers(ground, node, mine, wanted=wanted)
            elif wanted:
                raise LabError(f"{node.name} does not run, so it sends nothing", remedy="heal that first")


async def _set_layers(ground: Ground, node: Node, mine: Layer, *, wanted: bool) -> None:
    wiring = (await look.wirings(ground.daemon, (node,))).get(node.name, Wiring())
    ways = ground.ways(node.cluster)
    have = [layer for layer in shaping.asked(wiring.rules) if layer.target in ways]
    layers = [*(layer for layer in have if layer != mine), *([mine] if wanted else [])]
    try:
        await _lay(ground.daemon, node, layers, ways)
    except LabError:
        await _lay(ground.daemon, node, have, ways)
        raise


async def _lay(daemon: Daemon, node: Node, layers: Sequence[Layer], ways: Mapping[str, Way]) -> None:
    queues = await in_node(daemon, node, shaping.READ_QUEUES)
    for argv in shaping.change(layers, ways, queues):
        await in_node(daemon, node, argv)


def _layers(ground: Ground, nodes: tuple[Node, ...], wirings: Mapping[str, Wiring]) -> tuple[Layer, ...]:
    """What faults do to packets in all nodes of a cluster, in the order of the first."""
    found = [
        shaping.in_force(wiring.rules, wiring.queues, ground.ways(node.cluster))
        for node in nodes
        for wiring in (wirings.get(node.name, Wiring()),)
    ]
    common = (layer for layer in found[0] if all(layer in others for others in found))
    return tuple(layer for layer in common if not layer.of_link)


def _failing(nodes: list[Node], dns_ip: str, wirings: Mapping[str, Wiring]) -> frozenset[Settings]:
    """How the DNS fails the pods of all these nodes."""
    found = [dns.failing(wirings.get(node.name, Wiring()).rules, dns_ip) for node in nodes]
    return frozenset.intersection(*found) if found else frozenset()


def _loses(ground: Ground, nodes: tuple[Node, ...], source: str, wirings: Mapping[str, Wiring]) -> bool:
    """Whether every node loses everything from a cluster, by the addresses that this has now."""
    wanted = {(source, network) for network in ground.networks(source)}
    return all(wanted <= wirings.get(node.name, Wiring()).drops for node in nodes)


def _all_are(ground: Ground, state: str) -> frozenset[str]:
    return frozenset(
        name for name, nodes in ground.clusters.items() if all(node.state == state for node in nodes)
    )
