"""Expectations and the course of a run → outcomes. Pure: no clock, no I/O.

A measure of traffic that made no call in its window does not hold: nothing was shown.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import percentile
from lab.scenarios.course import Course, Event, Window
from lab.topology.grammar import format_percent
from lab.topology.scenario import Bound, Expectation, Measures

BASELINE = 2.0
"""Seconds before a fault in which those who answer are at home."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Outcome:
    """One measure: what was wanted of what, and what was seen."""

    subject: str
    measure: str
    window: str
    wanted: str
    seen: str
    ok: bool


def judge(expectations: Iterable[Expectation], course: Course) -> tuple[Outcome, ...]:
    """The outcome of every measure of every expectation, in the order of the file."""
    return tuple(outcome for expected in expectations for outcome in _expectation(expected, course))


def _expectation(expected: Expectation, course: Course) -> Iterator[Outcome]:
    window = course.window(expected)
    if expected.no_errors_in is not None:
        yield _no_errors(expected.no_errors_in, window, course)
        return
    records = course.calls.get(expected.traffic or "", ())
    yield from measured(expected, window, records)
    if expected.during:
        yield from _reactions(expected, course, records)


def measured(wanted: Measures, window: Window, records: Sequence[Record]) -> Iterator[Outcome]:
    """The outcomes of the measures that look at one window."""
    calls = window.of(records)
    good = [call for call in calls if call.good]

    def outcome(measure: str, wish: str, seen: str, ok: bool) -> Outcome:
        return Outcome(wanted.traffic or "", measure, window.words, wish, seen if calls else "no calls",
                       bool(calls) and ok)  # fmt: skip

    if wanted.success:
        share = len(good) / max(len(calls), 1)
        seen = f"{format_percent(round(share, 5))} of {len(calls)}{_errors(calls)}"
        limit = format_percent(wanted.success.limit)
        yield outcome("success", f"{wanted.success.operator} {limit}", seen, _holds(wanted.success, share))
    timed = sorted(call.latency_ms for call in calls if call.status or call.error == "timeout")
    for name, bound, share in (("p50", wanted.p50, 0.5), ("p99", wanted.p99, 0.99)):
        if bound:
            value = percentile(timed, share)
            seen = "no answers" if value is None else f"{value:.1f} ms"
            ok = value is not None and _holds(bound, value / 1000)
            yield outcome(name, f"{bound.operator} {bound.limit * 1000:g} ms", seen, ok)
    if wanted.answered_by:
        yield outcome("answered_by", *_exactly(wanted.answered_by, (call.cluster for call in good)))
    if wanted.identity:
        yield outcome("identity", *_exactly(wanted.identity, (call.client for call in good)))
    if wanted.status:
        yield outcome("status", *_exactly(map(str, wanted.status), (str(call.status) for call in calls)))


def _holds(bound: Bound, value: float) -> bool:
    return _OPERATORS[bound.operator](value, bound.limit)


def _exactly(patterns: Iterable[str], words: Iterable[str]) -> tuple[str, str, bool]:
    """Each word fits a pattern, and each pattern a word; as wanted, seen and whether."""
    wanted, seen = tuple(patterns), sorted(set(words))
    fits = all(any(fnmatchcase(word, pattern) for pattern in wanted) for word in seen)
    every = all(any(fnmatchcase(word, pattern) for word in seen) for pattern in wanted)
    return ", ".join(wanted), ", ".join(word or "none" for word in seen) or "no answers", fits and every


def _errors(calls: Sequence[Record]) -> str:
    kinds = sorted({call.error for call in calls if call.error})
    return f" ({', '.join(kinds)})" if kinds else ""


def _no_errors(cluster: str, window: Window, course: Course) -> Outcome:
    calls = [
        call
        for name, records in course.calls.items()
        if name.split("/")[0] == cluster
        for call in window.of(records)
    ]
    failed = [call for call in calls if not call.good]
    seen = f"{len(failed)} of {len(calls)}{_errors(calls)}" if calls else "no calls"
    return Outcome(f"{cluster}/*", "errors", window.words, "none", seen, bool(calls) and not failed)


def _reactions(expected: Expectation, course: Course, records: Sequence[Record]) -> Iterator[Outcome]:
    event = course.event(str(expected.during))
    before = Window("", event.began - BASELINE, event.began).of(records)
    home = {call.cluster for call in before if call.good and call.done <= event.began}
    subject = expected.traffic or ""
    if expected.shift_within is not None:
        end = course.end if event.healing is None else event.healing
        window = Window(f"during {event.name}", event.began, end, touching=True)
        seen, ok = _settled(window, records, lambda call: call.cluster not in home, expected.shift_within)
        yield _reaction(subject, "shift_within", window, expected.shift_within, _at_home(home, seen, ok))
    if expected.failback_within is not None:
        window = Window(f"after {event.name}", _healed(event, course), course.end)
        seen, ok = _settled(window, records, lambda call: call.cluster in home, expected.failback_within)
        yield _reaction(
            subject, "failback_within", window, expected.failback_within, _at_home(home, seen, ok)
        )


def _healed(event: Event, course: Course) -> float:
    return course.end if event.healed is None else event.healed


def _at_home(home: set[str], seen: str, ok: bool) -> tuple[str, bool]:
    return (seen, ok) if home else ("nobody answered before the fault", False)


def _reaction(subject: str, measure: str, window: Window, limit: float, seen: tuple[str, bool]) -> Outcome:
    return Outcome(subject, measure, window.words, f"<= {limit:g} s", *seen)


def _settled(
    window: Window, records: Sequence[Record], fits: Callable[[Record], bool], limit: float
) -> tuple[str, bool]:
    """How long after the window began every later call of it was answered and `fits`."""
    calls = window.of(records)
    wrong = [index for index, call in enumerate(calls) if not (call.good and fits(call))]
    if not calls:
        return "no calls", False
    if not wrong:
        return "0 s", True
    if wrong[-1] == len(calls) - 1:
        return f"not in {window.end - window.begin:.1f} s", False
    # The first call of the series that fits: what was before it may have been due before the window.
    took = max(0.0, calls[wrong[-1] + 1].due - window.begin)
    return f"{took:.2f} s", took <= limit
