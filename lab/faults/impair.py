"""The impair fault: what the command line says of delay, loss and so on, as numbers. Pure.

Whole microseconds, millionths and bits per second stand in the ledger, so that what is read back compares
equal. What is not said is not there: it stays as the link, or an earlier fault, has it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from lab.base.errors import UsageError
from lab.engines.protocol import EngineFault
from lab.faults.model import Fault
from lab.topology import grammar

MILLION = 1_000_000
_UNITS = {"delay": "us", "jitter": "us", "loss": "ppm", "duplicate": "ppm", "rate": "bps"}
"""How each setting is counted in the ledger; its key is `delay_us` and so on."""
_READ: Mapping[str, Callable[[str], float]] = {
    "us": grammar.parse_duration,
    "ppm": grammar.parse_percent,
    "bps": grammar.parse_bandwidth,
}
_WRITE: Mapping[str, Callable[[int], str]] = {
    "us": lambda count: grammar.format_duration(count / MILLION),
    "ppm": lambda count: grammar.format_percent(count / MILLION),
    "bps": grammar.format_bandwidth,
}
ONE_WAY = "one_way"


def parameters(settings: Mapping[str, str], *, one_way: bool) -> dict[str, int]:
    """What the fault keeps of the flags. Raises UsageError for a word that does not fit, or for none."""
    said = {name: word for name, word in settings.items() if word}
    if not said:
        flags = ", ".join(f"--{name}" for name in _UNITS)
        raise UsageError(f"say what packets shall suffer: at least one of {flags}")
    found = {f"{name}_{_UNITS[name]}": _count(name, word) for name, word in said.items()}
    return {**found, ONE_WAY: 1} if one_way else found


def _count(name: str, word: str) -> int:
    unit = _UNITS[name]
    try:
        value = _READ[unit](word)
    except ValueError as error:
        raise UsageError(f'--{name}: found "{word}"; allowed: {error}') from error
    return round(value * (1 if unit == "bps" else MILLION))


def words(fault: Fault) -> dict[str, str]:
    """The settings as the command line writes them: {"delay": "50ms"}; empty for other faults."""
    return {
        name: _WRITE[unit](fault.parameters[key])
        for name, unit in _UNITS.items()
        if (key := f"{name}_{unit}") in fault.parameters
    }


def engine_parts(fault: Fault) -> frozenset[EngineFault]:
    """One part per direction, from each cluster hit to each of the others and, unless one-way, back."""
    settings = tuple(
        sorted(
            (name, fault.parameters[key] / (1 if unit == "bps" else MILLION))
            for name, unit in _UNITS.items()
            if (key := f"{name}_{unit}") in fault.parameters
        )
    )
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
            asked.update(words(fault))
    return asked
