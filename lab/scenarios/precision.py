"""How far the times of a run can be trusted, and what that does to a verdict. Pure.

What happens between two calls is not seen, so a time is known to the distance of the calls around it: their
period, and what the load generator was late. That is computed from when calls really were sent, for each
figure. A figure that may be wrong by more than LIMIT decides nothing where the truth may lie on either side
of what is wanted: it is in doubt, neither held nor failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from lab.scenarios.course import Course
from lab.scenarios.outcome import Outcome, seconds_wish
from lab.topology.bounds import Bound

LIMIT = 0.05
"""Seconds: the measuring error that verdicts promise. Calls at 25/s or more keep it on a machine that is not
overloaded."""


@dataclass(frozen=True)
class Reading:
    """A time that was measured, and between which times the true one lies, in seconds."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        return max(self.high - self.value, self.value - self.low)


def outcome_of(what: tuple[str, str, str], bound: Bound, reading: Reading) -> Outcome:
    """The outcome of a measured time; `what` is subject, measure and window."""
    seen = f"{reading.value:.2f} s"
    doubt = ""
    if reading.error > LIMIT:
        seen += f" ± {reading.error:.2f} s"
        if bound.holds(reading.low) is not bound.holds(reading.high):
            doubt = f"between {max(reading.low, 0.0):.2f} and {reading.high:.2f} s"
    ok = bound.holds(reading.value) and not doubt
    return Outcome(*what, seconds_wish(bound), seen, ok, reading.value, "s", reading.error, doubt)


@dataclass(frozen=True)
class Precision:
    """The load of one traffic as it was really sent, in seconds."""

    apart: float
    """Time between two calls as they were due: the period."""
    late: float
    """By how much a call was sent later than it was due, at most."""
    clock: float = 0.0
    """By how much the caller's clock may differ from ours."""

    @property
    def error(self) -> float:
        """By how much a time that is read from these calls may be wrong."""
        return self.apart + self.late + self.clock

    def to_json(self) -> dict[str, float | bool]:
        figures = {"apart": self.apart, "late": self.late, "clock": self.clock, "error": self.error}
        return {**{name: round(value, 4) for name, value in figures.items()}, "exceeded": self.exceeded}

    def __str__(self) -> str:
        return f"calls {self.apart * 1000:.0f} ms apart, sent at most {self.late * 1000:.0f} ms late"

    @property
    def exceeded(self) -> bool:
        """Whether the load generator itself was later than the promised error."""
        return self.late > LIMIT


def precision(course: Course) -> dict[str, Precision]:
    """How precisely each traffic of a run was offered; traffic without two calls is left out."""
    found: dict[str, Precision] = {}
    for name, records in course.calls.items():
        inside = sorted(
            (one for one in records if course.begin <= one.due < course.end), key=lambda one: one.due
        )
        if len(inside) > 1:
            apart = sorted(b.due - a.due for a, b in pairwise(inside))
            late = max(one.late_ms for one in inside) / 1000
            clock = course.clocks.get(name.split("/")[0], 0.0)
            found[name] = Precision(apart[len(apart) // 2], late, clock)
    return found


def worst(found: Iterable[Mapping[str, Precision]]) -> dict[str, Precision]:
    """Of several runs, the least precise load of each traffic."""
    result: dict[str, Precision] = {}
    for name, one in (item for each in found for item in each.items()):
        result[name] = max(one, result.get(name, one), key=lambda seen: seen.error)
    return result


def remarks(found: Mapping[str, Precision]) -> list[str]:
    """What a verdict says of its times: how far they can be trusted, and where less than is promised."""
    if not found:
        return []
    least = max(found.values(), key=lambda one: one.error)
    return [
        f"times are right to {least.error * 1000:.0f} ms: {least}",
        *(
            f"measuring error above {LIMIT * 1000:g} ms: calls of {name} were sent up to "
            f"{one.late * 1000:.0f} ms late; this machine was overloaded, or the caller's cluster was paused"
            for name, one in found.items()
            if one.exceeded
        ),
    ]
