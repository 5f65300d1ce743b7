"""What calls of one traffic and their answers show in a window → outcomes. Pure.

`judge` asks it. A measure that finds no call in its window does not hold: nothing was shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.stats import percentile, shares
from lab.scenarios.course import Course, Window
from lab.scenarios.outcome import Outcome, errors, exactly, share_wish
from lab.scenarios.precision import Reading, outcome_of
from lab.topology.bounds import Bound
from lab.topology.grammar import format_percent
from lab.topology.measures import Measures

AT_ONCE = 1.0
"""Seconds within which a TCP connection that policy forbids is closed."""


def answered(wanted: Measures, window: Window, course: Course) -> Iterator[Outcome]:
    """The outcomes of the measures of traffic."""
    subject = wanted.traffic or ""
    calls = window.of(course.calls.get(subject, ()))
    measures = (
        *_figures(wanted, calls),
        *_latencies(wanted, calls, window, course),
        *_answers(wanted, calls),
    )
    if wanted.policy:
        measures = (*measures, _policy(wanted.policy, calls, course.protocols.get(subject, "http")))
    for one in measures:
        found = replace(one, subject=subject, window=window.words)
        yield found if calls else Outcome(subject, one.measure, window.words, one.wanted, "no calls", False)


def _figures(wanted: Measures, calls: Sequence[Record]) -> Iterator[Outcome]:
    good = [call for call in calls if call.good]
    if wanted.success:
        share = len(good) / max(len(calls), 1)
        seen = f"{format_percent(round(share, 5))} of {len(calls)}{errors(calls)}"
        wish, ok = share_wish(wanted.success), wanted.success.holds(share)
        yield Outcome("", "success", "", wish, seen, ok, share, "share")
    if wanted.outage:
        longest = max(outages(calls), key=lambda one: one.value, default=Reading(0.0, 0.0, 0.0))
        yield outcome_of(("", "outage", ""), wanted.outage, longest)
    by_cluster = shares(call.cluster for call in good)
    for cluster, bound in (wanted.share or {}).items():
        share = by_cluster.get(cluster, 0.0)
        seen, ok = format_percent(round(share, 5)), bool(good) and bound.holds(share)
        yield Outcome("", f"share of {cluster}", "", share_wish(bound), seen, ok, share, "share")


def _answers(wanted: Measures, calls: Sequence[Record]) -> Iterator[Outcome]:
    """What must have been seen exactly."""
    good = [call for call in calls if call.good]
    if wanted.answered_by:
        yield _exact("answered_by", exactly(wanted.answered_by, (call.cluster for call in good)))
    if wanted.identity:
        yield _exact("identity", exactly(wanted.identity, (call.client for call in good)))
    if wanted.status:
        yield _exact("status", exactly(map(str, wanted.status), (str(call.status) for call in calls)))
    if wanted.grpc_status:
        yield _exact("grpc_status", exactly(wanted.grpc_status, map(_grpc_status, calls)))


def _exact(measure: str, found: tuple[str, str, bool]) -> Outcome:
    wish, seen, ok = found
    return Outcome("", measure, "", wish, seen, ok)


def _latencies(
    wanted: Measures, calls: Sequence[Record], window: Window, course: Course
) -> Iterator[Outcome]:
    for name, bound, share in (("p50", wanted.p50, 0.5), ("p99", wanted.p99, 0.99)):
        if bound:
            yield _latency(name, calls, bound, share)
    if wanted.faster_than:
        others = window.of(course.calls.get(wanted.faster_than, ()))
        yield _faster(wanted.faster_than, _percentile(calls, 0.5), _percentile(others, 0.5))


def _faster(name: str, mine: float | None, theirs: float | None) -> Outcome:
    wish = f"below {name}"
    if mine is None or theirs is None:
        return Outcome("", "p50", "", wish, "no answers", False, None, "s")
    seen = f"{mine * 1000:.1f} ms against {theirs * 1000:.1f} ms"
    return Outcome("", "p50", "", wish, seen, mine < theirs, mine, "s")


def _latency(name: str, calls: Sequence[Record], bound: Bound, share: float) -> Outcome:
    """In doubt where only what the load generator itself was late decides."""
    wish = f"{bound.operator} {bound.limit * 1000:g} ms"
    value = _percentile(calls, share)
    prompt = _percentile(calls, share, late=False)
    if value is None or prompt is None:
        return Outcome("", name, "", wish, "no answers", False, None, "s")
    seen, ok = f"{value * 1000:.1f} ms", bound.holds(value)
    if ok is bound.holds(prompt):
        return Outcome("", name, "", wish, seen, ok, value, "s", value - prompt)
    doubt = f"{prompt * 1000:.1f} ms if calls had been sent in time"
    return Outcome("", name, "", wish, seen, False, value, "s", value - prompt, doubt)


def _percentile(calls: Sequence[Record], share: float, *, late: bool = True) -> float | None:
    """Seconds, of the calls that were answered or timed out; `late`: with what the generator was late."""
    timed = sorted(
        call.latency_ms - (0.0 if late else call.late_ms)
        for call in calls
        if call.status or call.error == "timeout"
    )
    value = percentile(timed, share)
    return None if value is None else value / 1000


def outages(calls: Sequence[Record]) -> list[Reading]:
    """How long each stretch of failed calls lasted, in seconds: from when its first call was sent to when the
    first good call after it was. One that did not end lasts to its last call.

    The true begin lies after the good call before it, and the true end after its last failed call.
    """
    found: list[Reading] = []
    first: int | None = None
    for place, call in enumerate(calls):
        if not call.good and first is None:
            first = place
        elif call.good and first is not None:
            found.append(_outage(calls, first, place, place - 1))
            first = None
    return found if first is None else [*found, _outage(calls, first, len(calls) - 1, len(calls) - 1)]


def _outage(calls: Sequence[Record], first: int, end: int, last: int) -> Reading:
    began, ended = calls[first].sent, calls[end].sent
    earliest = calls[first - 1].sent if first else began
    return Reading(ended - began, calls[last].sent - began, ended - earliest)


def _grpc_status(call: Record) -> str:
    if call.good:
        return "OK"
    return "DEADLINE_EXCEEDED" if call.error == "timeout" else call.error.removeprefix("grpc-")


def _policy(wanted: str, calls: Sequence[Record], protocol: str) -> Outcome:
    refused = [call for call in calls if _is_refused(call, protocol)]
    seen = f"{len(refused)} of {len(calls)} denied{errors(calls)}"
    ok = len(refused) == (len(calls) if wanted == "denied" else 0)
    return Outcome("", "policy", "", wanted, seen, ok)


def _is_refused(call: Record, protocol: str) -> bool:
    """Whether the mesh, and not an app, refused the call."""
    if protocol == "tcp":
        return call.error == "reset" and call.latency_ms < AT_ONCE * 1000
    return not call.pod and (call.status == 403 or call.error == "grpc-PERMISSION_DENIED")
