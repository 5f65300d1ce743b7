"""How long it took to react to a fault, and to its healing → outcomes. Pure; `judge` asks it.

A reaction is known from the first call, or look of a probe, that shows it: it happened after the one before.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import shares
from lab.scenarios.course import Course, Event, Sample, Window
from lab.scenarios.outcome import Outcome, seconds_wish
from lab.scenarios.precision import Reading, outcome_of
from lab.topology.bounds import Bound, fits
from lab.topology.measures import Expectation

BASELINE = 2.0
"""Seconds before a fault in which those who answer are at home."""
AT_HOME = 0.1
"""Share of the answers before a fault from which on a cluster is at home."""
STRAYS = 0.01
"""Share of the answers after a failback that may come from elsewhere: a failover route never gives its
other backends nothing at all."""

Took = Reading | None
"""How long one reaction took; None when it never came."""


def reactions(expected: Expectation, course: Course) -> Iterator[Outcome]:
    """How long it took to react; of a step that was done several times, the longest."""
    times = course.times(str(expected.during))
    records = course.calls.get(expected.traffic or "", ())
    samples = course.samples.get(expected.probe or "", ())
    during, after = f"during {expected.during}", f"after {expected.during}"
    subject = expected.traffic or ""
    clock = course.clocks.get(subject.split("/")[0], 0.0)
    if expected.shift_within is not None:
        took = [_placed(_shift(event, course, records), clock) for event in times]
        yield _reaction((subject, "shift_within", during), expected.shift_within, took, course)
    if expected.failback_within is not None:
        took = [_placed(_failback(event, course, records), clock) for event in times]
        yield _reaction((subject, "failback_within", after), expected.failback_within, took, course)
    if expected.detect_within is not None:
        took = [_detection(expected, event, course, samples) for event in times]
        what = (f"probe {expected.probe}", "detect_within", during)
        yield _reaction(what, expected.detect_within, took, course)


def _home(event: Event, records: Sequence[Record]) -> set[str]:
    before = Window("", ((event.began - BASELINE, event.began),)).of(records)
    answers = shares(call.cluster for call in before if call.good)
    return {cluster for cluster, share in answers.items() if share >= AT_HOME}


def _shift(event: Event, course: Course, records: Sequence[Record]) -> Took:
    home = _home(event, records)
    end = course.end if event.healing is None else event.healing
    window = Window("", ((event.began, end),), touching=True)
    return _reached(window, records, lambda call: call.cluster not in home, strays=0.0) if home else None


def _failback(event: Event, course: Course, records: Sequence[Record]) -> Took:
    home = _home(event, records)
    window = Window("", ((event.healed or course.end, course.end),))
    return _reached(window, records, lambda call: call.cluster in home, strays=STRAYS) if home else None


def _detection(expected: Expectation, event: Event, course: Course, samples: Sequence[Sample]) -> Took:
    """When a probe was first seen to be what is wanted; None if it was so before the fault already."""
    assert expected.value is not None, "check_measures asks for it"
    wanted, end = expected.value, course.end if event.healing is None else event.healing
    known = [(one.time, one.value) for one in samples if one.value is not None]
    last = [value for time, value in known if time < event.began][-1:]
    if not last or fits(wanted, last[0]):
        return None
    for (before, _), (time, value) in pairwise(known):
        if event.began <= time < end and fits(wanted, value):
            return _first_seen(time - event.began, time - before)
    return None


def _first_seen(value: float, gap: float) -> Reading:
    """Something that was not so yet at the look before."""
    return Reading(value, max(value - gap, 0.0), value)


def _placed(took: Took, clock: float) -> Took:
    """What may be wrong by as much as the caller's clock is against ours."""
    return took and Reading(took.value, took.low - clock, took.high + clock)


def _reaction(what: tuple[str, str, str], limit: float, times: Sequence[Took], course: Course) -> Outcome:
    bound = Bound("<=", limit)
    took = [one for one in times if one is not None]
    if not times or len(took) < len(times):
        seen = f"not in {_length(what[2], course):.1f} s" if times else "the step was not done"
        return Outcome(*what, seconds_wish(bound), seen, False, None, "s")
    return outcome_of(what, bound, max(took, key=lambda one: one.value))


def _length(words: str, course: Course) -> float:
    """How long the window of a reaction was; of several, the longest."""
    where, name = words.split(" ", 1)
    spans = [
        (event.began, course.end if event.healing is None else event.healing)
        if where == "during"
        else (event.healed or course.end, course.end)
        for event in course.times(name)
    ]
    return max(end - begin for begin, end in spans)


def _reached(
    window: Window, records: Sequence[Record], suits: Callable[[Record], bool], strays: float
) -> Took:
    """How long after the window began a call suits from which on all were answered and, up to a share of
    `strays`, suit. None when that never came.
    """
    calls = window.of(records)
    found: int | None = None
    astray = 0
    for number, call in enumerate(reversed(calls), 1):
        if not call.good:
            break
        if not suits(call):
            astray += 1
        elif astray <= strays * number:
            found = len(calls) - number
    if found is None:
        return None
    begin = window.spans[0][0]
    value = max(0.0, calls[found].sent - begin)
    return _first_seen(value, calls[found].sent - calls[found - 1].sent if found else value)
