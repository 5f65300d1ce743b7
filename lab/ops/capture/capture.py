"""`lab capture`: the packets of a pod, a node or a link, as a pcap file or stream.

A pod has two sides. On the wire (its eth0) meshed traffic is encrypted; on the side of its app (loopback,
between app and proxy) it is in clear.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import BinaryIO

from lab.base.errors import UsageError
from lab.controlplane.inject.settings import OUTBOUND_PORT
from lab.kube import objects
from lab.kube.kinds import PODS
from lab.kube.objects import Object
from lab.ops.answer import Answer
from lab.ops.capture import pcap
from lab.ops.capture.expression import Filter, between, both, everything, headers, parse, tcp_ports
from lab.ops.capture.packets import LOOPBACK, Tap
from lab.ops.labs import Lab, find
from lab.ops.pods import PROXY, locate
from lab.topology.grammar import parse_duration

SIDES = ("wire", "app")
WIRE = "eth0"
STDOUT = "-"


@dataclass(frozen=True)
class Asked:
    """What the command line says. `count` 0 and `seconds` "" are no limit."""

    lab: str = ""
    side: str = ""
    write: str = STDOUT
    count: int = 0
    seconds: str = ""
    filter: str = ""


@dataclass(frozen=True)
class Place:
    """Where packets are taken: a link of a pod (by uid) or of a cluster's node, and which of them count."""

    words: str
    cluster: str
    link: str
    pod_uid: str = ""
    only: Filter = everything


@dataclass
class Taken:
    packets: int = 0
    size: int = 0
    dropped: int = 0


def capture(target: str, asked: Asked) -> Answer:
    """Write packets until a limit is reached or Ctrl-C. The answer says how many, and how many were lost."""
    lab = find(asked.lab)
    wanted = parse(asked.filter)
    seconds = _seconds(asked.seconds)
    _check(asked)
    tap, place = asyncio.run(_open(lab, target, asked.side))
    with _output(asked.write) as file:
        sys.stderr.write(f"capturing {place.words}; Ctrl-C ends it\n")
        taken = _write(tap, file, both(place.only, wanted), (asked.count, seconds))
    where = "" if asked.write == STDOUT else f" in {asked.write}"
    counts = f"{taken.packets} packets, {taken.size} bytes{where}; {taken.dropped} dropped by the kernel"
    data = {"file": asked.write, "packets": taken.packets, "bytes": taken.size, "dropped": taken.dropped}
    return Answer(data, f"{place.words}: {counts}")


def _check(asked: Asked) -> None:
    if asked.count < 0:
        raise UsageError(f"--count {asked.count}: at least one packet", remedy="leave it out for no limit")
    if asked.write == STDOUT and sys.stdout.isatty():
        raise UsageError(
            "packets would go to the terminal",
            remedy="--write FILE, or a pipe: lab capture … | tcpdump -r -, … | wireshark -k -i -",
        )
    if asked.write != STDOUT and not Path(asked.write).parent.is_dir():
        raise UsageError(f"--write {asked.write}: there is no folder {Path(asked.write).parent}")


def _seconds(word: str) -> float:
    if not word:
        return float("inf")
    try:
        return parse_duration(word)
    except ValueError as error:
        raise UsageError(f'--for "{word}": found no duration', remedy=f"use {error}") from error


def _output(word: str) -> BinaryIO:
    return sys.stdout.buffer if word == STDOUT else open(word, "wb")


def _write(tap: Tap, file: BinaryIO, wanted: Filter, limits: tuple[int, float]) -> Taken:
    count, seconds = limits
    taken = Taken()
    file.write(pcap.header())
    file.flush()
    try:
        for packet in tap.packets(time.monotonic() + seconds):
            if packet is None:
                file.flush()  # whoever reads the pipe sees everything up to the pause
            elif wanted(headers(packet.data)):
                file.write(pcap.record(packet.nanoseconds, packet.data, packet.length))
                taken.packets += 1
                taken.size += packet.length
                if taken.packets == count:
                    break
    except KeyboardInterrupt:
        pass  # the usual way to end a capture
    file.flush()
    taken.dropped = tap.dropped()
    return taken


async def _open(lab: Lab, target: str, side: str) -> tuple[Tap, Place]:
    inspector = lab.inspector
    if inspector is None:
        raise UsageError(
            f"packets of a lab on engine {lab.engine.name} cannot be captured from here",
            remedy="run tcpdump in a pod or on a node",
        )
    place = await _place(lab, target, side)
    return Tap(await inspector.packets(lab.dir, place.cluster, place.pod_uid, place.link)), place


async def _place(lab: Lab, target: str, side: str) -> Place:
    if "/" in target:
        return await _pod(lab, target, side or SIDES[0])
    if side:
        raise UsageError(f"--side {side}: only pods have sides; {target} is none", remedy="leave --side out")
    if target.endswith("-"):
        raise UsageError(f'"{target}": the shell took the > of a link', remedy="quote it: 'west->east'")
    source, arrow, other = target.partition("->")
    lab.check_cluster(source)
    if not arrow:
        return Place(f"node of {source}", source, WIRE)
    lab.check_cluster(other)
    only = between(_addresses(lab, source), _addresses(lab, other))
    return Place(f"{source} and {other}, at the node of {source}", source, WIRE, only=only)


def _addresses(lab: Lab, cluster: str) -> tuple[IPv4Network, ...]:
    """What packets of a cluster may have as their address outside of it."""
    plan = lab.plan.cluster(cluster)
    return IPv4Network(plan.node_ip), IPv4Network(plan.pod_cidr)


async def _pod(lab: Lab, target: str, side: str) -> Place:
    if side not in SIDES:
        raise UsageError(f'--side "{side}" is unknown', remedy=f"use {' or '.join(SIDES)}")
    async with await lab.connect(lab.check_cluster(target.split("/")[0])) as client:
        where = await locate(lab, client, target)
        pod = await client.get(PODS, where.pod, where.namespace)
    words = f"{where.cluster}/{where.namespace}/{where.pod}, {side}"
    uid = str(pod["metadata"]["uid"])
    if side == "wire":
        return Place(words, where.cluster, WIRE, uid)
    return Place(words, where.cluster, LOOPBACK, uid, tcp_ports(app_ports(pod)))


def app_ports(pod: Object) -> frozenset[int]:
    """Ports at which a pod's apps speak in clear on its loopback: their own, and the proxy's for what they
    send."""
    containers: Sequence[Object] = objects.spec(pod)["containers"]
    own = {
        int(port["containerPort"])
        for container in containers
        if container["name"] != PROXY
        for port in container.get("ports") or ()
    }
    return frozenset({*own, OUTBOUND_PORT})
