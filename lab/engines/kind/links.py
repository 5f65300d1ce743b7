"""What the topology's links ask of the packets that leave a node, over the plan and what is there. Pure.

Called by `design`, which lays it, and by `faults`, which lays its own over it.
"""

from collections.abc import Mapping, Sequence

from lab.engines.kind import shaping
from lab.engines.kind.nodes import Node, Wiring
from lab.engines.kind.shaping import Layer, Way
from lab.plan.addresses import LabPlan

Groups = Mapping[str, tuple[Node, ...]]
"""The nodes of each cluster."""


def layers(plan: LabPlan, groups: Groups, source: str) -> list[Layer]:
    """The delay, jitter, loss and rate of links to clusters that are there, on what leaves a cluster."""
    return [
        Layer(target, tuple(sorted(wan.set_values().items())), of_link=True)
        for (leaving, target), wan in plan.wans.items()
        if leaving == source and target in ways(plan, groups, source)
    ]


def ways(plan: LabPlan, groups: Groups, source: str) -> dict[str, Way]:
    """The ways from a cluster to all others of the plan that are there."""
    return {
        one.name: Way(one.index + 1, tuple(sorted(networks(plan, groups, one.name))))
        for one in plan.clusters
        if one.name != source and one.name in groups
    }


def networks(plan: LabPlan, groups: Groups, cluster: str) -> frozenset[str]:
    """The addresses that packets of a cluster come from, and go to."""
    pods = {one.pod_cidr for one in plan.clusters if one.name == cluster}
    return frozenset({node.address for node in groups.get(cluster, ()) if node.address} | pods)


def hold(asked: Sequence[Layer], known: Mapping[str, Way], seen: Wiring) -> bool:
    """Whether a node does what links to clusters that are there ask, and no more for them."""
    made, written = shaping.in_force(seen.rules, seen.queues, known), shaping.asked(seen.rules)
    mine = [one for one in written if one.of_link and one.target in known]
    return [one for one in made if one.of_link] == mine == list(asked)


def repair(asked: Sequence[Layer], known: Mapping[str, Way], seen: Wiring) -> list[tuple[str, ...]]:
    """The commands that lay what links ask under the faults that a node has; none where that is so.

    Faults on the way to a cluster that is no longer there go with it.
    """
    written = shaping.asked(seen.rules)
    wanted = [*asked, *(one for one in written if not one.of_link and one.target in known)]
    if list(shaping.in_force(seen.rules, seen.queues, known)) == written == wanted:
        return []
    return shaping.change(wanted, known, seen.queues)
