"""The links of a topology, one per direction, with the modes each carries.

`a <-> b` is two links: each cluster mirrors the services of the other on its own. Checks, plans and
status all count links this way.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from lab.topology import grammar
from lab.topology.model import Link, Mode, Topology

# How modes are listed everywhere, whatever order the file has.
MODES: tuple[Mode, ...] = ("gateway", "flat", "federated")


@dataclass(frozen=True)
class Wan:
    """What the network between two clusters does to packets, in each direction."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: int | None = None

    def set_values(self) -> dict[str, float]:
        """What is set: seconds, shares, bits per second."""
        return {key: value for key, value in asdict(self).items() if value}

    def words(self) -> dict[str, str]:
        """What is set, as the file writes it: {"delay": "20ms"}; empty for a plain network."""
        written = {
            "delay": grammar.format_duration(self.delay) if self.delay else "",
            "jitter": grammar.format_duration(self.jitter) if self.jitter else "",
            "loss": grammar.format_percent(self.loss) if self.loss else "",
            "rate": grammar.format_bandwidth(self.rate) if self.rate else "",
        }
        return {key: word for key, word in written.items() if word}


@dataclass(frozen=True)
class DirectedLink:
    """`source` mirrors the exported services of `target`, in these modes."""

    source: str
    target: str
    modes: tuple[Mode, ...]
    wan: Wan = Wan()
    excluded_labels: tuple[str, ...] = ()
    excluded_annotations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    @property
    def crosses_pods(self) -> bool:
        """Whether pods of the two clusters talk to each other directly."""
        return "flat" in self.modes or "federated" in self.modes


def directed_links(topology: Topology) -> tuple[DirectedLink, ...]:
    """Every link of the file, one per direction, in file order."""
    return tuple(one for link in topology.links for one in expand(topology, link))


def wans(topology: Topology) -> dict[tuple[str, str], Wan]:
    """The network from one cluster to another, where it is not plain.

    A link's settings hold in both directions, unless the link the other way has settings of its own.
    """
    asked = {(link.source, link.target): link.wan for link in directed_links(topology) if link.wan.words()}
    back = {(target, source): wan for (source, target), wan in asked.items()}
    return {**back, **asked}


def lead_somewhere(topology: Topology) -> bool:
    """Whether all links join clusters that exist; nothing more can be said about the others."""
    return all({link.from_, link.to} <= set(topology.clusters) for link in topology.links)


def expand(topology: Topology, link: Link) -> Iterator[DirectedLink]:
    """The one or two directions of a link as written."""
    modes = link.modes or default_modes(topology, link)
    ordered = tuple(mode for mode in MODES if mode in modes)
    wan = Wan(link.delay, link.jitter, link.loss, link.rate)
    excluded = (link.excluded_labels, link.excluded_annotations)
    yield DirectedLink(link.from_, link.to, ordered, wan, *excluded)
    if link.both:
        yield DirectedLink(link.to, link.from_, ordered, wan, *excluded)


def default_modes(topology: Topology, link: Link) -> tuple[Mode, ...]:
    """Everything the two clusters' networks and the mesh version allow."""
    if topology.network_of(link.from_) != topology.network_of(link.to):
        return ("gateway",)
    if topology.mesh.version == "2.14":
        return ("gateway", "flat")
    return MODES
