"""What packets suffer that go from a node to other clusters. Pure.

Packet rules sort them into classes, traffic control slows each class. What a link asks is the lowest layer of
its direction, an impairment one over the earlier ones. The layers are kept in the node's kernel, too: as
comments in a chain that no packet passes. So what is asked for is read back in its order, beside what takes
effect.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.engines.kind.rules import TABLE, Settings, listed, network_of, note, noted, script

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
NETEM_MISSING = f"{', '.join(BY_NETEM)} need netem, which the kernel under Docker has not"
NETEM_REMEDY = "load the module sch_netem there; a rate needs none, and engine embedded neither"
OF_LINK = "link"
"""Marks a link's layer where layers are written down."""
SORTING = "{ type filter hook postrouting priority 0; }"


@dataclass(frozen=True)
class Layer:
    """What packets to the cluster `target` are to suffer, in the words of EngineFault's settings; `of_link`
    if the topology asks it and not a fault."""

    target: str
    settings: Settings
    of_link: bool = False


@dataclass(frozen=True)
class Way:
    """The way to a cluster: its class, and the networks that its packets go to."""

    number: int
    networks: tuple[str, ...]

    @property
    def class_id(self) -> str:
        """As traffic control writes it: in hexadecimal digits."""
        return f"{MAJOR}:{self.number:x}"


def change(layers: Sequence[Layer], ways: Mapping[str, Way], queues: str) -> list[tuple[str, ...]]:
    """The commands that put exactly these layers in force, where there are `queues`.

    In an order that, cut short anywhere, leaves layers written down that are read back as not in force.
    """
    slowed = slow_classes(layers, ways, queues)
    if not layers:
        return [*slowed, write_down(layers)]
    return [write_down(layers), *slowed, sort_packets(layers, ways)]


def write_down(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The command that notes the layers and ends the sorting of packets; one transaction."""
    unsorted = [f"add chain {TABLE} slowed {SORTING}", f"flush chain {TABLE} slowed"]
    asked = [f'add rule {TABLE} asked return comment "{_written(layer)}"' for layer in layers]
    return script("asked", "", [*unsorted, *asked])


def sort_packets(layers: Sequence[Layer], ways: Mapping[str, Way]) -> tuple[str, ...]:
    """The command that sorts packets into their classes; one transaction."""
    rules = [
        f"add rule {TABLE} slowed ip daddr {network} meta priority set 0x{MAJOR}{ways[target].number:04x}"
        for target in effective(layers)
        for network in ways[target].networks
    ]
    return script("slowed", SORTING, rules)


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
    """What packets to each cluster suffer; of two layers that say the same, the later one counts, and any
    fault over the link."""
    merged: dict[str, dict[str, float]] = {}
    for layer in sorted(layers, key=lambda one: not one.of_link):  # stable: faults in their order
        merged.setdefault(layer.target, {}).update(layer.settings)
    return merged


def asked(rules: str) -> list[Layer]:
    """The layers that a node's rules name, in their order."""
    return [_read(rule["comment"]) for rule in listed(rules) if rule["chain"] == "asked"]


def in_force(rules: str, queues: str, ways: Mapping[str, Way]) -> tuple[Layer, ...]:
    """Those of them that its rules and queues really make."""
    layers = asked(rules)
    sorted_ = {(network_of(rule), _class_of(rule)) for rule in listed(rules) if rule["chain"] == "slowed"}
    kinds = _kinds(queues)
    wanted = effective(layers)
    made = {
        target
        for target, settings in wanted.items()
        if target in ways
        and {(network, ways[target].class_id) for network in ways[target].networks} <= sorted_
        and kinds.get("root") == "htb"
        and (not _netem(settings) or kinds.get(ways[target].class_id) == "netem")
    }
    return tuple(layer for layer in layers if layer.target in made)


def _class_of(rule: Mapping[str, Any]) -> str:
    """The class that a rule sorts packets into."""
    return next((str(part["mangle"]["value"]) for part in rule["expr"] if "mangle" in part), "")


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
    mark = [OF_LINK] if layer.of_link else []
    return " ".join([layer.target, *mark, note(layer.settings)])


def _read(comment: str) -> Layer:
    target, *words = comment.split()
    return Layer(target, noted(word for word in words if word != OF_LINK), OF_LINK in words)
