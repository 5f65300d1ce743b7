"""What packets suffer that go from a node to other clusters. Pure.

Packet rules sort them into classes, traffic control slows each class. An impairment is a layer over the
earlier ones of its direction. The layers are kept in the node's kernel, too: as comments in a chain that no
packet passes. So what is asked for is read back in its order, beside what takes effect.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.engines.kind.rules import TABLE, listed, network_of

DEVICE = "eth0"
"""Docker's name for a container's way out."""
MAJOR = "7a1"
"""The number of our queue; classes have their cluster's place in the plan after it."""
UNLIMITED = 10**11
"""Bits per second of a class without a rate: more than any path between containers carries."""
QUEUE = 100_000
"""Packets that may wait for their delay; netem's own thousand is too few for a fast path."""
READ_QUEUES = ("tc", "-json", "qdisc", "show", "dev", DEVICE)
NO_NETEM = "qdisc kind is unknown"
BY_NETEM = ("delay", "jitter", "loss", "duplicate", "corrupt")

Settings = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Layer:
    """What packets to the cluster `target` are to suffer, in the words of EngineFault's settings."""

    target: str
    settings: Settings


@dataclass(frozen=True)
class Way:
    """The way to a cluster: its class, and the networks that its packets go to."""

    number: int
    networks: tuple[str, ...]

    @property
    def class_id(self) -> str:
        """As traffic control writes it: in hexadecimal digits."""
        return f"{MAJOR}:{self.number:x}"


def sort_packets(layers: Sequence[Layer], ways: Mapping[str, Way]) -> tuple[str, ...]:
    """The command that writes the layers down and sorts packets into their classes; one transaction."""
    asked = [f'add rule {TABLE} asked return comment "{_written(layer)}"' for layer in layers]
    sorted_ = [
        f"add rule {TABLE} slowed ip daddr {network} meta priority set 0x{MAJOR}{ways[target].number:04x}"
        for target in effective(layers)
        for network in ways[target].networks
    ]
    chains = [
        f"add table {TABLE}",
        f"add chain {TABLE} asked",
        f"add chain {TABLE} slowed {{ type filter hook postrouting priority 0; }}",
        f"flush chain {TABLE} asked",
        f"flush chain {TABLE} slowed",
    ]
    return ("nft", "; ".join([*chains, *asked, *sorted_]))


def slow_classes(layers: Sequence[Layer], ways: Mapping[str, Way], queues: str) -> list[tuple[str, ...]]:
    """The commands that make our queue anew where there are `queues`, with what each class suffers; without
    layers there is none afterwards."""
    device = ("dev", DEVICE)
    commands: list[tuple[str, ...]] = []
    if _kinds(queues).get("root") == "htb":
        commands.append(("tc", "qdisc", "del", *device, "root"))
    if layers:
        commands.append(("tc", "qdisc", "add", *device, "root", "handle", f"{MAJOR}:", "htb"))
    for target, settings in effective(layers).items():
        parent = ways[target].class_id
        rate = f"{round(settings.get('rate', UNLIMITED))}bit"
        made = ("tc", "class", "add", *device, "parent", f"{MAJOR}:", "classid", parent, "htb", "rate", rate)
        commands.append(made)
        if words := _netem(settings):
            leaf = ("netem", "limit", str(QUEUE), *words)
            commands.append(("tc", "qdisc", "add", *device, "parent", parent, *leaf))
    return commands


def effective(layers: Iterable[Layer]) -> dict[str, dict[str, float]]:
    """What packets to each cluster suffer; of two layers that say the same, the later one counts."""
    merged: dict[str, dict[str, float]] = {}
    for layer in layers:
        merged.setdefault(layer.target, {}).update(layer.settings)
    return merged


def asked(rules: str) -> list[Layer]:
    """The layers that a node's rules name, in their order."""
    return [_read(rule["comment"]) for rule in listed(rules) if rule["chain"] == "asked"]


def in_force(rules: str, queues: str, ways: Mapping[str, Way]) -> tuple[Layer, ...]:
    """Those of them that its rules and queues really make."""
    layers = asked(rules)
    sorted_ = {network_of(rule) for rule in listed(rules) if rule["chain"] == "slowed"}
    kinds = _kinds(queues)
    wanted = effective(layers)
    made = {
        target
        for target, settings in wanted.items()
        if target in ways
        and set(ways[target].networks) <= sorted_
        and kinds.get("root") == "htb"
        and (not _netem(settings) or kinds.get(ways[target].class_id) == "netem")
    }
    return tuple(layer for layer in layers if layer.target in made)


def _kinds(queues: str) -> dict[str, str]:
    """The kind of each queue by its parent, of what READ_QUEUES printed."""
    return {str(one.get("parent", "root")): str(one["kind"]) for one in json.loads(queues or "[]")}


def _netem(settings: Mapping[str, float]) -> list[str]:
    """netem's words; times in microseconds, shares in percent."""
    words = []
    if settings.get("delay") or settings.get("jitter"):
        words = ["delay", *(f"{round(settings.get(name, 0) * 1e6)}us" for name in ("delay", "jitter"))]
    for name in ("loss", "duplicate", "corrupt"):
        words += [name, f"{settings[name] * 100:.4f}%"] if settings.get(name) else []
    return words


def _written(layer: Layer) -> str:
    return " ".join([layer.target, *(f"{name}={value!r}" for name, value in layer.settings)])


def _read(comment: str) -> Layer:
    target, *words = comment.split()
    pairs = (word.split("=") for word in words)
    return Layer(target, tuple((name, float(value)) for name, value in pairs))
