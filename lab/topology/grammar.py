"""The small languages inside topology strings: durations, shares, rates and link shorthands.

Every parser takes what stands in the file and returns a plain value, or raises ValueError with what
is allowed; every format function is its parser's inverse. Pure; the model calls them.
"""

import re
from collections.abc import Callable

from lab.topology.fault_words import PROBLEMS

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m)", re.ASCII)
_SKEW = re.compile(r"([+-]?)(\d+(?:\.\d+)?)(h|m|s)", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_BANDWIDTH = re.compile(r"(\d+(?:\.\d+)?)(kbit|mbit|gbit)", re.ASCII)
_FREQUENCY = re.compile(r"(\d+(?:\.\d+)?)/(s|m)", re.ASCII)
_BOUND = re.compile(r"(>=|<=|>|<|=)\s*(\S+)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_LINK = re.compile(r"([a-z0-9-]+)\s*(<->|->)\s*([a-z0-9-]+)", re.ASCII)

# The same patterns for the JSON Schema.
PATTERNS = {
    name: f"^{pattern.pattern}$"
    for name, pattern in {
        "duration": _DURATION,
        "skew": _SKEW,
        "percent": _PERCENT,
        "bandwidth": _BANDWIDTH,
        "frequency": _FREQUENCY,
        "bound": _BOUND,
        "link": _LINK,
    }.items()
}

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_SKEWS = {"h": 3600, "m": 60, "s": 1}
_BITS = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}

DURATION = "a duration like 20ms, 1.5s, 300us or 2m"
SKEW = "how far a clock is ahead, like 25h, or behind, like -25h (h, m or s), not 0"
PROBLEM = ", ".join(PROBLEMS)
PERCENT = "a share like 0.1% (0% to 100%)"
BANDWIDTH = "a bandwidth like 512kbit, 100mbit or 1gbit, more than 0"
FREQUENCY = "a rate like 50/s or 120/m, more than 0 and at most 10000/s"
SUCCESS_BOUND = 'a bound in quotes like ">= 99.9%", with >=, <=, >, < or ='
LATENCY_BOUND = 'a bound in quotes like "<= 200ms", with >=, <=, >, < or ='
NUMBER_BOUND = 'a number, or a bound in quotes like ">= 2", with >=, <=, >, < or ='
LINK = '"a -> b" (a mirrors services of b), "a <-> b" (both ways), or a mapping with from and to'

MAX_PER_SECOND = 10_000


def parse_duration(text: object) -> float:
    """Seconds."""
    match = _whole(_DURATION, text, DURATION)
    return round(float(match[1]) * _SECONDS[match[2]], 9)


def format_duration(seconds: float) -> str:
    """The shortest form that parses back to the same number of microseconds."""
    micros = round(seconds * 1e6)
    if micros % 1_000_000 == 0:
        return f"{micros // 1_000_000}s"
    if micros % 1000 == 0:
        return f"{micros // 1000}ms"
    return f"{micros}us"


def parse_skew(text: object) -> float:
    """Whole seconds, negative for a clock that is behind."""
    match = _whole(_SKEW, text, SKEW)
    seconds = round(float(match[2]) * _SKEWS[match[3]])
    if not seconds:
        raise ValueError(SKEW)
    return float(-seconds if match[1] == "-" else seconds)


def format_skew(seconds: float) -> str:
    """The largest unit that keeps the figure whole."""
    unit, size = next((unit, size) for unit, size in _SKEWS.items() if seconds % size == 0)
    return f"{round(seconds / size)}{unit}"


def parse_problem(text: object) -> float:
    """The number of a problem of certificates."""
    if text not in PROBLEMS:
        raise ValueError(PROBLEM)
    return float(PROBLEMS.index(str(text)))


def parse_percent(text: object) -> float:
    """A share between 0 and 1."""
    value = float(_whole(_PERCENT, text, PERCENT)[1])
    if value > 100:
        raise ValueError(PERCENT)
    return round(value / 100, 9)


def format_percent(share: float) -> str:
    """A share as a percentage, without needless zeros."""
    return f"{_trimmed(share * 100)}%"


def parse_bandwidth(text: object) -> int:
    """Bits per second."""
    match = _whole(_BANDWIDTH, text, BANDWIDTH)
    bits = round(float(match[1]) * _BITS[match[2]])
    if bits < 1:
        raise ValueError(BANDWIDTH)
    return bits


def format_bandwidth(bits: int) -> str:
    """The largest unit that keeps the figure whole, else thousandths of a kbit."""
    for unit, size in reversed(_BITS.items()):
        if bits % size == 0:
            return f"{bits // size}{unit}"
    return f"{_trimmed(bits / 1000)}kbit"


def parse_frequency(text: object) -> float:
    """Requests per second."""
    match = _whole(_FREQUENCY, text, FREQUENCY)
    rate = float(match[1]) / _SECONDS[match[2]]
    if not 0 < rate <= MAX_PER_SECOND:
        raise ValueError(FREQUENCY)
    return rate


def format_frequency(per_second: float) -> str:
    """Per second when that is exact, else per minute."""
    if float(_trimmed(per_second)) == per_second:
        return f"{_trimmed(per_second)}/s"
    return f"{_trimmed(per_second * 60)}/m"


def parse_success_bound(text: object) -> tuple[str, float]:
    """`>= 99.9%` as (">=", 0.999)."""
    return _bound(text, parse_percent, SUCCESS_BOUND)


def parse_latency_bound(text: object) -> tuple[str, float]:
    """`<= 200ms` as ("<=", 0.2)."""
    return _bound(text, parse_duration, LATENCY_BOUND)


def parse_number_bound(text: object) -> tuple[str, float]:
    """`>= 2` as (">=", 2.0)."""
    return _bound(text, lambda number: float(_whole(_NUMBER, number, NUMBER_BOUND)[0]), NUMBER_BOUND)


def _bound(text: object, parse: Callable[[object], float], allowed: str) -> tuple[str, float]:
    match = _whole(_BOUND, text, allowed)
    try:
        return match[1], parse(match[2])
    except ValueError:
        raise ValueError(allowed) from None


def parse_link(text: str) -> tuple[str, str, bool]:
    """`west <-> east` as (from, to, both ways)."""
    match = _whole(_LINK, text, LINK)
    return match[1], match[3], match[2] == "<->"


def is_inline(manifest: str) -> bool:
    """Whether a manifest is the YAML itself, and not the path of a file or folder."""
    return "\n" in manifest


def _whole(pattern: re.Pattern[str], text: object, allowed: str) -> re.Match[str]:
    match = pattern.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(allowed)
    return match


def _trimmed(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")
