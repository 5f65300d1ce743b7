"""The impair fault: in the engine's words, and what packets suffer from it together with links. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from lab.engines.protocol import EngineFault
from lab.faults.model import Fault
from lab.faults.settings import value, words
from lab.topology.fault_words import FLAGS, IMPAIRMENTS

ONE_WAY = "one_way"


def engine_parts(fault: Fault) -> frozenset[EngineFault]:
    """One part per direction, from each cluster hit to each of the others and, unless one-way, back."""
    said = words(fault).keys() & set(IMPAIRMENTS)
    settings = tuple((name, value(fault, name, 0)) for name in sorted(said))
    return frozenset(
        EngineFault("impair", frozenset({target}), frozenset({source}), one_way=True, settings=settings)
        for source, target in directions(fault)
    )


def to_repeat(found: Sequence[EngineFault], wanted: Sequence[EngineFault]) -> list[EngineFault]:
    """The parts to apply again so that they lie over one another as wanted.

    `wanted` are those of all faults, oldest first; of equal ones the last counts. Applying a part that is
    there moves it over all others of its direction.
    """
    result: list[EngineFault] = []
    for ends in dict.fromkeys((part.clusters, part.others) for part in wanted):
        lying = [part for part in reversed(wanted) if (part.clusters, part.others) == ends]
        lying = list(dict.fromkeys(lying))[::-1]
        seen = [part for part in found if part in lying]
        result += next(
            lying[kept:]
            for kept in range(len(lying), -1, -1)
            if [part for part in seen if part not in lying[kept:]] == lying[:kept]
        )
    return result


def directions(fault: Fault) -> set[tuple[str, str]]:
    """The ways from cluster to cluster that the fault impairs."""
    there = {(source, target) for source in fault.target.clusters for target in fault.target.others}
    return there if fault.parameters.get(ONE_WAY) else there | {(target, source) for source, target in there}


def suffered(ends: tuple[str, str], of_link: Mapping[str, str], faults: Iterable[Fault]) -> dict[str, str]:
    """What packets from one cluster to another suffer from a link and from faults, the latest said last."""
    asked = dict(of_link)
    for fault in faults:
        if fault.kind == "impair" and fault.state == "active" and ends in directions(fault):
            asked.update({name: word for name, word in words(fault).items() if name not in FLAGS})
    return asked
