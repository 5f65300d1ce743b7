"""Layers of impairments → the paths between clusters that packets take through the relay. Pure.

A layer is what one link, or one part of a fault, asks of one direction. They are kept apart, in the order in
which they were asked for, so that taking one away brings back what the others want.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from lab.engines.embedded.wan.lane import Conditions, combined


@dataclass(frozen=True)
class Layer:
    """What is asked of packets from `source` to `target`; `settings` are fields of Conditions, sorted."""

    source: str
    target: str
    settings: tuple[tuple[str, float], ...]
    of_link: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        settings = tuple((str(name), value) for name, value in data["settings"])
        return cls(data["source"], data["target"], settings, data["of_link"])


@dataclass(frozen=True)
class Path:
    """The networks whose packets to other networks go through the relay, and what it does to them."""

    source: str
    target: str
    origins: tuple[str, ...]
    destinations: tuple[str, ...]
    conditions: Conditions

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            data["source"],
            data["target"],
            tuple(data["origins"]),
            tuple(data["destinations"]),
            Conditions(**data["conditions"]),
        )


def paths(
    layers: Iterable[Layer], plans: Mapping[str, Mapping[str, Any]], flat: Mapping[str, Iterable[str]]
) -> list[Path]:
    """One path per impaired direction between clusters that are there.

    `flat` are the pod networks that each cluster reaches directly. Where it does not, only node addresses
    are on the path, so that the relay opens no way that would be closed without it.
    """
    asked: dict[tuple[str, str], list[Layer]] = {}
    for layer in sorted(layers, key=lambda one: not one.of_link):  # stable: faults in their order
        if {layer.source, layer.target} <= plans.keys():
            asked.setdefault((layer.source, layer.target), []).append(layer)
    made = []
    for (source, target), mine in asked.items():
        conditions = combined(*(dict(layer.settings) for layer in mine))
        if conditions != Conditions():
            is_flat = plans[target]["pod_cidr"] in flat.get(source, ())
            origins, destinations = (_networks(plans[name], with_pods=is_flat) for name in (source, target))
            made.append(Path(source, target, origins, destinations, conditions))
    return made


def _networks(plan: Mapping[str, Any], *, with_pods: bool) -> tuple[str, ...]:
    node = f"{plan['node_ip']}/32"
    return (node, str(plan["pod_cidr"])) if with_pods else (node,)
