"""Reads what a fault shall hit, as the command line and scenarios write it."""

from lab.base.errors import UsageError
from lab.faults.model import Target
from lab.faults.workloads import is_selector
from lab.ops.labs import Lab
from lab.topology import grammar
from lab.topology.fault_words import OF_WHOLE_CLUSTERS

LINKED = ("partition", "impair")
WORKLOADS = ("scale", "kill", "http")
SHAPE = "such as west/shop/front, west,east/shop/front,stock or west/shop/app=front"


def read_target(lab: Lab, kind: str, word: str) -> Target:
    """The target in a word. Raises UsageError for what does not fit the kind."""
    if kind in LINKED:
        one, _, other = word.partition("|")
        sides = _clusters(lab, one), _clusters(lab, other)
        if set(sides[0]) & set(sides[1]):
            raise UsageError(f'"{word}": a cluster cannot be on both sides')
        return Target(clusters=sides[0], others=sides[1])
    if kind in WORKLOADS or (kind in OF_WHOLE_CLUSTERS and "/" in word):
        return _workloads(lab, word)
    return Target(clusters=_clusters(lab, word))


def of_link(word: str) -> tuple[str, bool]:
    """`west->east` as both sides of a cut or impairment, and whether it is meant for one direction only."""
    if "->" not in word:
        return word, False
    try:
        one, other, both = grammar.parse_link(word.rstrip("|"))
    except ValueError as error:
        raise UsageError(f'"{word}" is not a link', remedy=str(error)) from error
    return f"{one}|{other}", not both


def _workloads(lab: Lab, word: str) -> Target:
    """CLUSTERS/NAMESPACE/NAMES, or a label selector in the place of the names, which may hold slashes."""
    parts = word.split("/", 2)
    if len(parts) != 3 or not all(parts) or ("/" in parts[2] and not is_selector(parts[2])):
        raise UsageError(f'"{word}" is not CLUSTER/NAMESPACE/NAME', remedy=SHAPE)
    return Target(clusters=_clusters(lab, parts[0]), namespace=parts[1], service=parts[2])


def _clusters(lab: Lab, word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lab.check_cluster(name.strip()) for name in word.split(",")))
