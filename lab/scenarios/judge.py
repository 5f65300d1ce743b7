"""Expectations and the course of a run → outcomes. Pure: no clock, no I/O.

A measure of traffic that made no call in its window does not hold: nothing was shown.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import percentile, shares
from lab.scenarios.course import Course, Event, Sample, Window
from lab.topology.bounds import Bound, fits, shown
from lab.topology.grammar import format_percent
from lab.topology.measures import Expectation, Measures

BASELINE = 2.0
"""Seconds before a fault in which those who answer are at home."""
AT_HOME = 0.1
"""Share of the answers before a fault from which on a cluster is at home."""
STRAYS = 0.01
"""Share of the answers after a failback that may come from elsewhere: a failover route never gives its
other backends nothing at all."""


@dataclass(frozen=True)
class Outcome:
    """One measure: what was wanted of what, and what was seen."""

    subject: str
    measure: str
    window: str
    wanted: str
    seen: str
    ok: bool
    value: float | None = None
    """The figure that was seen: a share of 1, seconds, or a plain number."""
    unit: str = ""
    """share, s, or nothing."""


def judge(expectations: Iterable[Expectation], course: Course) -> tuple[Outcome, ...]:
    """The outcome of every wait and of every measure of every expectation, in the order of the file."""
    waits = [
        Outcome(one.name, "when", "", "comes to hold", one.seen or f"after {one.ended - one.began:.2f} s",
                not one.seen or one.excused, one.ended - one.began, "s")
        for one in course.waitings
    ]  # fmt: skip
    return (*waits, *(outcome for expected in expectations for outcome in _expectation(expected, course)))


def _expectation(expected: Expectation, course: Course) -> Iterator[Outcome]:
    window = course.window(expected)
    if expected.no_errors_in is not None:
        yield _no_errors(expected.no_errors_in, window, course)
        return
    detecting = expected.detect_within is not None
    asked = expected.model_copy(update={"value": None}) if detecting else expected
    yield from measured(asked, window, course)
    if expected.during:
        yield from _reactions(expected, course)


def measured(wanted: Measures, window: Window, course: Course) -> Iterator[Outcome]:
    """The outcomes of the measures that look at one window."""
    if wanted.probe:
        yield from _probed(wanted, window, course.samples.get(wanted.probe, ()))
        return
    records = course.calls.get(wanted.traffic or "", ())
    calls = window.of(records)
    good = [call for call in calls if call.good]

    def outcome(measure: str, wish: str, seen: str, ok: bool, *figure: float | str | None) -> Outcome:
        return Outcome(wanted.traffic or "", measure, window.words, wish, seen if calls else "no calls",
                       bool(calls) and ok, *(figure if calls else ()))  # type: ignore[arg-type]  # fmt: skip

    if wanted.success:
        share = len(good) / max(len(calls), 1)
        seen = f"{format_percent(round(share, 5))} of {len(calls)}{_errors(calls)}"
        yield outcome(
            "success", _share_wish(wanted.success), seen, wanted.success.holds(share), share, "share"
        )
    for name, bound, share in (("p50", wanted.p50, 0.5), ("p99", wanted.p99, 0.99)):
        if bound:
            yield outcome(name, f"{bound.operator} {bound.limit * 1000:g} ms", *_latency(calls, bound, share))
    if wanted.faster_than:
        others = window.of(course.calls.get(wanted.faster_than, ()))
        yield outcome("p50", f"below {wanted.faster_than}", *_faster(calls, others))
    if wanted.outage:
        yield outcome("outage", _seconds_wish(wanted.outage), *_outage(wanted.outage, window, records))
    if wanted.answered_by:
        yield outcome("answered_by", *_exactly(wanted.answered_by, (call.cluster for call in good)))
    by_cluster = shares(call.cluster for call in good)
    for cluster, bound in (wanted.share or {}).items():
        share = by_cluster.get(cluster, 0.0)
        seen, ok = format_percent(round(share, 5)), bool(good) and bound.holds(share)
        yield outcome(f"share of {cluster}", _share_wish(bound), seen, ok, share, "share")
    if wanted.identity:
        yield outcome("identity", *_exactly(wanted.identity, (call.client for call in good)))
    if wanted.status:
        yield outcome("status", *_exactly(map(str, wanted.status), (str(call.status) for call in calls)))
    if wanted.grpc_status:
        yield outcome("grpc_status", *_exactly(wanted.grpc_status, map(_grpc_status, calls)))
    if wanted.policy:
        protocol = course.protocols.get(wanted.traffic or "", "http")
        refused = [call for call in calls if _is_refused(call, protocol)]
        seen = f"{len(refused)} of {len(calls)} denied{_errors(calls)}"
        ok = len(refused) == (len(calls) if wanted.policy == "denied" else 0)
        yield outcome("policy", wanted.policy, seen, ok)


def _latency(calls: Sequence[Record], bound: Bound, share: float) -> tuple[str, bool, float | None, str]:
    value = _percentile(calls, share)
    if value is None:
        return "no answers", False, None, "s"
    return f"{value * 1000:.1f} ms", bound.holds(value), value, "s"


def _percentile(calls: Sequence[Record], share: float) -> float | None:
    """Seconds, of the calls that were answered or timed out."""
    timed = sorted(call.latency_ms for call in calls if call.status or call.error == "timeout")
    value = percentile(timed, share)
    return None if value is None else value / 1000


def _faster(calls: Sequence[Record], others: Sequence[Record]) -> tuple[str, bool, float | None, str]:
    mine, theirs = _percentile(calls, 0.5), _percentile(others, 0.5)
    if mine is None or theirs is None:
        return "no answers", False, None, "s"
    return f"{mine * 1000:.1f} ms against {theirs * 1000:.1f} ms", mine < theirs, mine, "s"


def _outage(bound: Bound, window: Window, records: Sequence[Record]) -> tuple[str, bool, float, str]:
    longest = max(outages(window.of(records)), default=0.0)
    return f"{longest:.2f} s", bound.holds(longest), longest, "s"


def outages(calls: Sequence[Record]) -> list[float]:
    """How long each stretch of failed calls lasted, in seconds: from when its first call was due to when the
    first good call after it was. One that did not end lasts to its last call.

    The true begin lies up to a period before the measured one, and so does the true end: the length is
    right to a period, and to what the generator or a call was late.
    """
    found: list[float] = []
    began: float | None = None
    for call in calls:
        if not call.good and began is None:
            began = call.due
        elif call.good and began is not None:
            found.append(call.due - began)
            began = None
    return found if began is None else [*found, calls[-1].due - began]


def _grpc_status(call: Record) -> str:
    if call.good:
        return "OK"
    return "DEADLINE_EXCEEDED" if call.error == "timeout" else call.error.removeprefix("grpc-")


AT_ONCE = 1.0
"""Seconds within which a TCP connection that policy forbids is closed."""


def _is_refused(call: Record, protocol: str) -> bool:
    """Whether the mesh, and not an app, refused the call."""
    if protocol == "tcp":
        return call.error == "reset" and call.latency_ms < AT_ONCE * 1000
    return not call.pod and (call.status == 403 or call.error == "grpc-PERMISSION_DENIED")


def _probed(wanted: Measures, window: Window, taken: Sequence[Sample]) -> Iterator[Outcome]:
    samples = window.samples(taken)
    values = [one.value for one in samples if one.value is not None]
    subject = f"probe {wanted.probe}"
    seen = ", ".join(dict.fromkeys(one.error if one.value is None else shown(one.value) for one in samples))
    numbers = [value for value in values if isinstance(value, float)]
    if wanted.value is not None:
        ok = bool(samples) and len(values) == len(samples) and all(fits(wanted.value, v) for v in values)
        last = numbers[-1] if numbers else None
        yield Outcome(subject, "value", window.words, str(wanted.value), seen or "no samples", ok, last)
    if wanted.delta is not None:
        if len(numbers) < 2:
            yield Outcome(subject, "delta", window.words, str(wanted.delta), seen or "no samples", False)
            return
        change = numbers[-1] - numbers[0]
        ok = wanted.delta.holds(change)
        yield Outcome(subject, "delta", window.words, str(wanted.delta), shown(change), ok, change)


def _seconds_wish(bound: Bound) -> str:
    return f"{bound.operator} {bound.limit:g} s"


def _share_wish(bound: Bound) -> str:
    return f"{bound.operator} {format_percent(bound.limit)}"


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


def _reactions(expected: Expectation, course: Course) -> Iterator[Outcome]:
    """How long it took to react; of a step that was done several times, the longest."""
    times = course.times(str(expected.during))
    records = course.calls.get(expected.traffic or "", ())
    samples = course.samples.get(expected.probe or "", ())
    during, after = f"during {expected.during}", f"after {expected.during}"
    subject = expected.traffic or ""
    if expected.shift_within is not None:
        took = [_shift(event, course, records) for event in times]
        yield _reaction((subject, "shift_within", during), expected.shift_within, took, course)
    if expected.failback_within is not None:
        took = [_failback(event, course, records) for event in times]
        yield _reaction((subject, "failback_within", after), expected.failback_within, took, course)
    if expected.detect_within is not None:
        took = [_detection(expected, event, course, samples) for event in times]
        what = (f"probe {expected.probe}", "detect_within", during)
        yield _reaction(what, expected.detect_within, took, course)


def _home(event: Event, records: Sequence[Record]) -> set[str]:
    before = Window("", ((event.began - BASELINE, event.began),)).of(records)
    answers = shares(call.cluster for call in before if call.good)
    return {cluster for cluster, share in answers.items() if share >= AT_HOME}


def _shift(event: Event, course: Course, records: Sequence[Record]) -> float | None:
    home = _home(event, records)
    end = course.end if event.healing is None else event.healing
    window = Window("", ((event.began, end),), touching=True)
    return _reached(window, records, lambda call: call.cluster not in home, strays=0.0) if home else None


def _failback(event: Event, course: Course, records: Sequence[Record]) -> float | None:
    home = _home(event, records)
    window = Window("", ((event.healed or course.end, course.end),))
    return _reached(window, records, lambda call: call.cluster in home, strays=STRAYS) if home else None


def _detection(
    expected: Expectation, event: Event, course: Course, samples: Sequence[Sample]
) -> float | None:
    """When a probe was first seen to be what is wanted; None if it was so before the fault already."""
    assert expected.value is not None, "check_measures asks for it"
    wanted, end = expected.value, course.end if event.healing is None else event.healing
    last = [one.value for one in samples if one.time < event.began and one.value is not None][-1:]
    if not last or fits(wanted, last[0]):
        return None
    return next(
        (
            one.time - event.began
            for one in samples
            if event.began <= one.time < end and one.value is not None and fits(wanted, one.value)
        ),
        None,
    )


def _reaction(
    what: tuple[str, str, str], limit: float, times: Sequence[float | None], course: Course
) -> Outcome:
    took = [one for one in times if one is not None]
    if not times or len(took) < len(times):
        seen = f"not in {_length(what[2], course):.1f} s" if times else "the step was not done"
        return Outcome(*what, f"<= {limit:g} s", seen, False, None, "s")
    return Outcome(*what, f"<= {limit:g} s", f"{max(took):.2f} s", max(took) <= limit, max(took), "s")


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
) -> float | None:
    """How long after the window began a call suits from which on all were answered and, up to a share of
    `strays`, suit. None when that never came.
    """
    found: float | None = None
    astray = 0
    for number, call in enumerate(reversed(window.of(records)), 1):
        if not call.good:
            break
        if not suits(call):
            astray += 1
        elif astray <= strays * number:
            found = max(0.0, call.due - window.spans[0][0])
    return found
