"""Where packets are taken: a pod, the node of a cluster, or a link between two clusters.

A pod has two sides. On the wire (its eth0) meshed traffic is encrypted; on the side of its app (loopback,
between app and proxy) it is in clear.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from lab.base.errors import UsageError
from lab.controlplane.inject.settings import OUTBOUND_PORT
from lab.kube import objects
from lab.kube.kinds import PODS
from lab.kube.objects import Object
from lab.ops.capture.frames import Networks, Wanted
from lab.ops.capture.packets import LOOPBACK, Tap
from lab.ops.labs import Lab
from lab.ops.pods import PROXY, locate

SIDES = ("wire", "app")
WIRE = "eth0"


@dataclass(frozen=True)
class Place:
    """Where packets are taken: a link of a pod (by uid) or of a cluster's node, and which of them count."""

    words: str
    cluster: str
    link: str
    wanted: Wanted
    pod_uid: str = ""


async def tapped(lab: Lab, target: str, side: str, wanted: Wanted) -> tuple[Tap, Place]:
    """A tap on what a target names: CLUSTER/NAMESPACE/POD, CLUSTER or FROM->TO. Raises UsageError."""
    inspector = lab.inspector
    if inspector is None:
        raise UsageError(
            f"packets of a lab on engine {lab.engine.name} cannot be captured from here",
            remedy="run tcpdump in a pod or on a node",
        )
    if not lab.engine.is_running(lab.dir):
        raise UsageError(f"lab {lab.name} is not running", remedy="`lab up` brings it up")
    place = await _place(lab, target, side, wanted)
    return Tap(await inspector.packets(lab.dir, place.cluster, place.pod_uid, place.link)), place


async def _place(lab: Lab, target: str, side: str, wanted: Wanted) -> Place:
    if "/" in target:
        return await _pod(lab, target, side or SIDES[0], wanted)
    if side:
        raise UsageError(f"--side {side}: only pods have sides; {target} is none")
    if target.endswith("-"):
        raise UsageError(f'"{target}": the shell took the > of a link', remedy="quote it: 'west->east'")
    source, arrow, other = target.partition("->")
    lab.check_cluster(source)
    if not arrow:
        return Place(f"node of {source}", source, WIRE, wanted)
    lab.check_cluster(other)
    crossing = replace(wanted, between=(_addresses(lab, source), _addresses(lab, other)))
    return Place(f"{source} and {other}, at the node of {source}", source, WIRE, crossing)


def _addresses(lab: Lab, cluster: str) -> Networks:
    """What packets of a cluster may have as their address outside of it."""
    plan = lab.plan.cluster(cluster)
    return IPv4Network(plan.node_ip), IPv4Network(plan.pod_cidr)


async def _pod(lab: Lab, target: str, side: str, wanted: Wanted) -> Place:
    if side not in SIDES:
        raise UsageError(f'--side "{side}" is unknown', remedy=f"use {' or '.join(SIDES)}")
    async with await lab.connect(lab.check_cluster(target.split("/")[0])) as client:
        where = await locate(lab, client, target)
        pod = await client.get(PODS, where.pod, where.namespace)
    words = f"{where.cluster}/{where.namespace}/{where.pod}, {side}"
    uid = str(pod["metadata"]["uid"])
    if side == "wire":
        return Place(words, where.cluster, WIRE, wanted, uid)
    return Place(words, where.cluster, LOOPBACK, replace(wanted, ports=wanted.ports or app_ports(pod)), uid)


def app_ports(pod: Object) -> frozenset[int]:
    """Ports at which a pod's apps speak in clear on its loopback: their own, and the proxy's for what they
    send. Pure.
    """
    containers: Sequence[Object] = objects.spec(pod)["containers"]
    own = {
        int(port["containerPort"])
        for container in containers
        if container["name"] != PROXY
        for port in container.get("ports") or ()
    }
    return frozenset({*own, OUTBOUND_PORT})
