"""The flags of faults as numbers for the ledger, and back. Pure.

Whole microseconds, millionths, seconds and bits per second stand in the ledger, so that what is read back
compares equal. What is not said is not there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.base.errors import UsageError
from lab.faults.model import Fault, FaultKind
from lab.topology import grammar
from lab.topology.fault_words import FAULT_OPTIONS, FLAGS, NEEDS_ONE_OF, PROBLEMS, Said

MILLION = 1_000_000


@dataclass(frozen=True)
class Unit:
    """How a setting is counted: `suffix` ends its key in the ledger, `scale` is what one is worth there."""

    suffix: str
    scale: int
    read: Callable[[object], float]
    write: Callable[[float], str]


TIME = Unit("_us", MILLION, grammar.parse_duration, grammar.format_duration)
SHARE = Unit("_ppm", MILLION, grammar.parse_percent, grammar.format_percent)
RATE = Unit("_bps", 1, grammar.parse_bandwidth, lambda bits: grammar.format_bandwidth(round(bits)))
PROBLEM = Unit("", 1, grammar.parse_problem, lambda number: PROBLEMS[round(number)])
SKEW = Unit("_s", 1, grammar.parse_skew, grammar.format_skew)
UNITS: Mapping[str, Unit] = {
    "delay": TIME,
    "jitter": TIME,
    "rate": RATE,
    "skew": SKEW,
    "problem": PROBLEM,
    **dict.fromkeys(("loss", "duplicate", "corrupt", "share"), SHARE),
}
"""All others are whole numbers, or flags that are 1 when they are set."""
KEYS = {"to": "replicas"}


def parameters(kind: FaultKind, said: Mapping[str, Said]) -> dict[str, int]:
    """What a fault keeps of its flags; "", None and False stand for what was not said.

    Raises UsageError for a word that does not fit, or when too little was said.
    """
    found: dict[str, int] = {}
    for name, word in said.items():
        if word not in ("", None, False):
            found[_key(name)] = _count(name, word)
    needed = NEEDS_ONE_OF.get(kind, ())
    if needed and not any(_key(name) in found for name in needed):
        flags = ", ".join(map(_flag, needed))
        raise UsageError(f"say what the {kind} fault shall do: at least one of {flags}")
    return found


def words(fault: Fault) -> dict[str, str]:
    """The settings as the command line writes them, {"delay": "50ms"}; a flag's word is empty."""
    return {
        name: _word(name, fault.parameters[_key(name)])
        for name in FAULT_OPTIONS.get(fault.kind, ())
        if _key(name) in fault.parameters
    }


def value(fault: Fault, name: str, default: float) -> float:
    """A setting in seconds, as a share of 1, or as it is."""
    unit = UNITS.get(name)
    key = _key(name)
    return fault.parameters[key] / (unit.scale if unit else 1) if key in fault.parameters else default


def share(fault: Fault) -> float:
    """How much of its target a fault hits, as a share of 1: all, unless something else was said."""
    return value(fault, "share", 1.0)


def seed(fault: Fault) -> int:
    """What a fault draws by, where it hits a share of things that can be counted."""
    return fault.parameters.get("seed", 0)


def _count(name: str, word: Said) -> int:
    if (unit := UNITS.get(name)) is None:
        return int(word or 0)
    try:
        return round(unit.read(word) * unit.scale)
    except ValueError as error:
        raise UsageError(f'{_flag(name)}: found "{word}"; allowed: {error}') from error


def _word(name: str, count: int) -> str:
    if unit := UNITS.get(name):
        return unit.write(count / unit.scale)
    return "" if name in FLAGS else str(count)


def _key(name: str) -> str:
    unit = UNITS.get(name)
    return KEYS.get(name, name + (unit.suffix if unit else ""))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
