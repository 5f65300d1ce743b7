"""The faults that a search draws from, and how a sequence of them becomes a scenario. Pure.

The simplest come first: a shorter and an earlier choice is the simpler one when a failing sequence is shrunk.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lab.base.errors import UsageError
from lab.topology.fault_words import FAULT_WORDS, FaultKind, lasts
from lab.topology.links import directed_links
from lab.topology.model import APP_SERVICES, Topology
from lab.topology.scenario import Step

SETTINGS: Mapping[FaultKind, tuple[Mapping[str, Any], ...]] = {
    "impair": ({"delay": "100ms"}, {"loss": "5%"}),
    "http": ({"status": 503},),
    "clock": ({"skew": "25h"},),
}
"""What kinds that need to be told more are told; the others hit all of their target."""
BLOCKS_API: tuple[FaultKind, ...] = ("pause", "node", "api")
"""While one of these is in force, the cluster's API does not answer."""
NEEDS_NO_API: tuple[FaultKind, ...] = ("partition", "impair", "dns")
"""All others are made and healed over the API of the cluster, or wait for it."""
SECONDS = (3, 6)
"""How long a fault may stand."""
CALM = "1s"
"""Between two moments, and before the first."""


@dataclass(frozen=True)
class Candidate:
    """A fault that may be drawn."""

    kind: FaultKind
    words: tuple[tuple[str, Any], ...]
    """Its target and options as a step of a scenario has them."""
    clusters: frozenset[str]

    @property
    def is_lasting(self) -> bool:
        return lasts(self.kind, {})

    def goes_with(self, other: "Candidate") -> bool:
        """Whether both can stand at the same time."""
        if self == other or not self.clusters & other.clusters:
            return self != other
        kinds = {self.kind, other.kind}
        return not kinds & set(BLOCKS_API) or bool(kinds & set(NEEDS_NO_API))


@dataclass(frozen=True)
class Hit:
    """One fault of a sequence; with `joins` it comes with the one before, where both can stand."""

    candidate: Candidate
    seconds: int = SECONDS[0]
    joins: bool = False

    def step(self) -> dict[str, Any]:
        """The fault as a step of a scenario."""
        held = {"for": f"{self.seconds}s"} if self.candidate.is_lasting else {}
        return {"fault": self.candidate.kind, **dict(self.candidate.words), **held}


Hits = tuple[Hit, ...]


def candidates(
    topology: Topology, kinds: Sequence[str] = (), clusters: Sequence[str] = ()
) -> list[Candidate]:
    """Every fault of these kinds that hits one of these clusters; none said is all. Raises UsageError."""
    found = [
        Candidate(kind, tuple({**target, **more}.items()), frozenset(hit))
        for kind in FAULT_WORDS
        if not kinds or kind in kinds
        for target, hit in _targets(topology, kind)
        if not clusters or set(clusters) & hit
        for more in SETTINGS.get(kind, ({},))
    ]
    if not found:
        raise UsageError("there is no fault to search with", remedy="ask for more: --kind, --cluster")
    return found


def _targets(topology: Topology, kind: FaultKind) -> Iterator[tuple[dict[str, str], set[str]]]:
    """The words of a target and the clusters that are hit."""
    words = FAULT_WORDS[kind]
    if "cluster" in words:
        yield from (({"cluster": name}, {name}) for name in topology.clusters)
    elif "target" in words:
        for app in topology.apps:
            for cluster in topology.clusters_of(app):
                for service in APP_SERVICES[app.app]:
                    yield {"target": f"{cluster}/{app.app}/{service}"}, {cluster}
    else:
        joined = {frozenset({link.source, link.target}) for link in directed_links(topology)}
        for one, other in combinations(topology.clusters, 2):
            if frozenset({one, other}) in joined:
                yield {"a": one, "b": other}, {one, other}


def moments(sequence: Sequence[Hit]) -> list[list[Hit]]:
    """What happens at the same time: a moment begins when all of the one before is healed."""
    found: list[list[Hit]] = []
    for hit in sequence:
        if found and hit.joins and all(hit.candidate.goes_with(one.candidate) for one in found[-1]):
            found[-1].append(hit)
        else:
            found.append([hit])
    return found


def steps(sequence: Sequence[Hit]) -> list[dict[str, Any]]:
    """The sequence as the steps of a scenario."""
    return [
        {"after": CALM, **(one[0].step() if len(one) == 1 else {"parallel": [hit.step() for hit in one]})}
        for one in moments(sequence)
    ]


def words(sequence: Sequence[Hit]) -> str:
    """The sequence on one line, as the command line would say it."""
    made = [[Step.model_validate(hit.step()) for hit in one] for one in moments(sequence)]
    return ", then ".join(" + ".join(map(_words, one)) for one in made) or "no fault"


def _words(step: Step) -> str:
    return step.words + (f" for {step.hold:g} s" if step.hold else "")


def searched(topology: Topology) -> Topology:
    """The topology with what a search judges: expectations about the whole run, whatever its steps are.

    Raises UsageError when there are none.
    """
    scenario = topology.scenario
    whole = tuple(one for one in scenario.expect if not (one.during or one.before or one.after))
    if not whole:
        raise UsageError(
            f"the scenario of {topology.name} expects nothing of a whole run, which a search would judge",
            remedy="add an expectation without during, before and after: {no_errors_in: CLUSTER}",
        )
    told = {"expect": whole, "steps": (), "length": None, "verdict": None}
    return topology.model_copy(update={"scenario": scenario.model_copy(update=told)})


def with_sequence(topology: Topology, sequence: Sequence[Hit]) -> Topology:
    """The topology whose scenario carries a sequence out."""
    made = tuple(Step.model_validate(step) for step in steps(sequence))
    scenario = topology.scenario.model_copy(update={"steps": made})
    return topology.model_copy(update={"scenario": scenario})
