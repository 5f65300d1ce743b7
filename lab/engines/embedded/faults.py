"""Faults on running clusters, through init: partitions (nftables), impairments (the relay), pauses
(SIGSTOP), stopped components, killed nodes and failing DNS (nftables).

Each change is followed by reading back what the kernel has; a fault that did not take, or did not go, is an
error. Called by the engine only; who asked for which fault is kept in the ledger above.
"""

from collections.abc import Mapping
from typing import Any

from lab.base.errors import LabError
from lab.base.wait import until
from lab.engines.embedded.control import Control
from lab.engines.embedded.wan import change as wan
from lab.engines.embedded.wan.paths import Layer
from lab.engines.protocol import (
    ActualFaults,
    DnsFailure,
    Drop,
    EngineFault,
    Impaired,
    dns_failures_of,
    drops_of,
    impaired_by,
)

IN_FORCE_WITHIN = 5.0
"""Seconds for a fault to be seen once it was asked for."""

Plans = dict[str, dict[str, Any]]


async def read(control: Control) -> ActualFaults:
    """What is in force, from nft rules and process states."""
    return (await survey(control))[0]


async def survey(control: Control) -> tuple[ActualFaults, dict[str, str]]:
    """What is in force, and everything that faults may change: place -> what is there."""
    seen = await control.call("list")
    network = await control.call("network", function="describe_network", arguments={})
    stopped = {tuple(c["key"].split("/", 1)) for c in seen["components"] if c["state"] == "stopped"}
    dead = frozenset(row["name"] for row in seen["clusters"] if row["dead"])
    relayed = await wan.read(control, seen, network)
    found = ActualFaults(
        drops=frozenset(Drop(peer, cluster) for cluster, row in network.items() for peer in row["drops"]),
        paused=frozenset(row["name"] for row in seen["clusters"] if row["paused"]),
        stopped=frozenset((c, name) for c, name in stopped if name != "node" or c not in dead),
        impaired=tuple(
            Impaired(one.source, one.target, one.settings)
            for one in relayed.layers
            if not one.of_link and relayed.holds(one)
        ),
        dead=dead,
        dns=frozenset(
            DnsFailure(cluster, tuple((str(name), value) for name, value in settings))
            for cluster, row in network.items()
            for settings in row["dns_failures"]
        ),
    )
    return found, {**_programs(seen), **_network(network, relayed)}


def _programs(seen: Mapping[str, Any]) -> dict[str, str]:
    """States of a cluster's programs; those that all clusters share (the relay) come when they are needed."""
    states = {row["key"]: row["state"] for row in seen["components"] if row["cluster"]}
    return states | {f"{row['name']}/stopped processes": str(row["halted"]) for row in seen["clusters"]}


def _network(network: Mapping[str, Mapping[str, Any]], relayed: wan.Actual) -> dict[str, str]:
    """Each node's drops, DNS failures, routes, detours and queues, and what paths between clusters suffer."""
    readings = {
        f"{cluster}/{name}": ", ".join(map(str, row[name].items() if name == "routes" else row[name]))
        for cluster, row in network.items()
        for name in ("drops", "dns_failures", "routes", "detours", "queues")
    }
    return readings | {f"{one.source} -> {one.target}": str(one.conditions) for one in relayed.paths}


async def apply(control: Control, fault: EngineFault) -> None:
    """Put a fault in force. Raises TimedOut if it does not hold afterwards."""
    await _check_known(control, fault)
    if fault.kind == "pause":
        for cluster in sorted(fault.clusters):
            await control.call("pause", cluster=cluster)
    elif fault.kind == "component":
        for cluster in sorted(fault.clusters):
            await control.call("stop-component", key=f"{cluster}/{fault.component}")
    elif fault.kind == "impair":
        layers = _layers(fault)
        await wan.change(control, lambda before: (*(one for one in before if one not in layers), *layers))
    elif fault.kind == "node":
        for cluster in sorted(fault.clusters):
            await control.call("kill-node", cluster=cluster)
    elif fault.kind == "dns":
        actual = await read(control)
        await _set_dns_failures(control, fault.clusters, actual.dns | dns_failures_of(fault))
    else:
        actual = await read(control)
        await _set_drops(control, fault, actual.drops | drops_of(fault))

    async def is_in_force() -> bool:
        return (await read(control)).holds(fault)

    # Killed processes are there until the kernel and init have done with them.
    await until(is_in_force, timeout=IN_FORCE_WITHIN, what=f"the {fault.kind} of {_names(fault)} is in force")


async def clear(control: Control, fault: EngineFault) -> None:
    """Lift a fault. Raises LabError if some of it is left afterwards."""
    present = await _plans(control)
    if fault.kind == "pause":
        for cluster in sorted(fault.clusters & present.keys()):
            await control.call("resume", cluster=cluster)
    elif fault.kind == "component":
        for cluster in sorted(fault.clusters & present.keys()):
            await control.call("resume-component", key=f"{cluster}/{fault.component}")
    elif fault.kind == "impair":
        layers = _layers(fault)
        await wan.change(control, lambda before: (one for one in before if one not in layers))
    elif fault.kind == "node":
        for cluster in sorted(fault.clusters & present.keys()):
            await control.call("resume-component", key=f"{cluster}/node")
    elif fault.kind == "dns":
        actual = await read(control)
        await _set_dns_failures(control, fault.clusters & present.keys(), actual.dns - dns_failures_of(fault))
    else:
        actual = await read(control)
        await _set_drops(control, fault, actual.drops - drops_of(fault))
    if (await read(control)).touches(fault):
        raise LabError(
            f"the {fault.kind} of {_names(fault)} is still in force", remedy="heal again, or `down`"
        )


def _layers(fault: EngineFault) -> list[Layer]:
    return [Layer(one.source, one.target, one.settings) for one in impaired_by(fault)]


async def _set_drops(control: Control, fault: EngineFault, wanted: frozenset[Drop]) -> None:
    plans = await _plans(control)
    for cluster in sorted({drop.target for drop in drops_of(fault)} & plans.keys()):
        sources = sorted({drop.source for drop in wanted if drop.target == cluster} & plans.keys())
        peers = {name: [f"{plans[name]['node_ip']}/32", plans[name]["pod_cidr"]] for name in sources}
        await control.call("network", function="set_drops", arguments={"cluster": cluster, "peers": peers})


async def _set_dns_failures(
    control: Control, clusters: frozenset[str], wanted: frozenset[DnsFailure]
) -> None:
    plans = await _plans(control)
    for cluster in sorted(clusters):
        mine = [dict(one.settings) for one in sorted(wanted, key=repr) if one.cluster == cluster]
        arguments = {"cluster": cluster, "dns_ip": plans[cluster]["dns_ip"], "failures": mine}
        await control.call("network", function="set_dns_failures", arguments=arguments)


async def _check_known(control: Control, fault: EngineFault) -> None:
    present = await _plans(control)
    unknown = sorted((fault.clusters | fault.others) - present.keys())
    if unknown:
        raise LabError(
            f"{', '.join(unknown)}: not running in this lab; there are {', '.join(sorted(present))}"
        )


async def _plans(control: Control) -> Plans:
    seen = await control.call("list")
    return {row["name"]: row["plan"] for row in seen["clusters"]}


def _names(fault: EngineFault) -> str:
    return ", ".join(sorted(fault.clusters)) + (
        f" from {', '.join(sorted(fault.others))}" if fault.others else ""
    )
