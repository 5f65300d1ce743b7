"""Expectations and the course of a run → outcomes. Pure: no clock, no I/O.

A measure of traffic that made no call in its window does not hold: nothing was shown.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import percentile, shares
from lab.scenarios.course import Course, Window
from lab.topology.grammar import format_percent
from lab.topology.scenario import Bound, Expectation, Measures

BASELINE = 2.0
"""Seconds before a fault in which those who answer are at home."""
AT_HOME = 0.1
"""Share of the answers before a fault from which on a cluster is at home."""
STRAYS = 0.01
"""Share of the answers after a failback that may come from elsewhere: a failover route never gives its
other backends nothing at all."""

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
        yield outcome("success", _share_wish(wanted.success), seen, _holds(wanted.success, share))
    timed = sorted(call.latency_ms for call in calls if call.status or call.error == "timeout")
    for name, bound, share in (("p50", wanted.p50, 0.5), ("p99", wanted.p99, 0.99)):
        if bound:
            value = percentile(timed, share)
            seen = "no answers" if value is None else f"{value:.1f} ms"
            ok = value is not None and _holds(bound, value / 1000)
            yield outcome(name, f"{bound.operator} {bound.limit * 1000:g} ms", seen, ok)
    if wanted.answered_by:
        yield outcome("answered_by", *_exactly(wanted.answered_by, (call.cluster for call in good)))
    by_cluster = shares(call.cluster for call in good)
    for cluster, bound in (wanted.share or {}).items():
        share = by_cluster.get(cluster, 0.0)
        seen, ok = format_percent(round(share, 5)), bool(good) and _holds(bound, share)
        yield outcome(f"share of {cluster}", _share_wish(bound), seen, ok)
    if wanted.identity:
        yield outcome("identity", *_exactly(wanted.identity, (call.client for call in good)))
    if wanted.status:
        yield outcome("status", *_exactly(map(str, wanted.status), (str(call.status) for call in calls)))


def _share_wish(bound: Bound) -> str:
    return f"{bound.operator} {format_percent(bound.limit)}"


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
    answers = shares(call.cluster for call in before if call.good)
    home = {cluster for cluster, share in answers.items() if share >= AT_HOME}
    subject = expected.traffic or ""
    if expected.shift_within is not None:
        end = course.end if event.healing is None else event.healing
        window = Window(f"during {event.name}", event.began, end, touching=True)
        took = _reached(window, records, lambda call: call.cluster not in home, strays=0.0)
        yield _reaction((subject, "shift_within"), window, expected.shift_within, took if home else None)
    if expected.failback_within is not None:
        window = Window(f"after {event.name}", event.healed or course.end, course.end)
        took = _reached(window, records, lambda call: call.cluster in home, strays=STRAYS)
        yield _reaction(
            (subject, "failback_within"), window, expected.failback_within, took if home else None
        )


def _reaction(what: tuple[str, str], window: Window, limit: float, took: float | None) -> Outcome:
    length = window.end - window.begin
    seen = f"not in {length:.1f} s" if took is None else f"{took:.2f} s"
    return Outcome(*what, window.words, f"<= {limit:g} s", seen, took is not None and took <= limit)


def _reached(
    window: Window, records: Sequence[Record], fits: Callable[[Record], bool], strays: float
) -> float | None:
    """How long after the window began a call fits from which on all were answered and, up to a share of
    `strays`, fit. None when that never came.
    """
    found: float | None = None
    astray = 0
    for number, call in enumerate(reversed(window.of(records)), 1):
        if not call.good:
            break
        if not fits(call):
            astray += 1
        elif astray <= strays * number:
            found = max(0.0, call.due - window.begin)
    return found
