"""Expectations and the course of a run → outcomes. Pure: no clock, no I/O.

What each measure means is in `answers` (traffic), `probed` (probes) and `reactions` (how long it took).
"""

from collections.abc import Iterable, Iterator

from lab.scenarios.answers import answered
from lab.scenarios.course import Course, Window
from lab.scenarios.outcome import Outcome, errors
from lab.scenarios.probed import probed
from lab.scenarios.reactions import reactions
from lab.topology.measures import Expectation, Measures


def judge(expectations: Iterable[Expectation], course: Course) -> tuple[Outcome, ...]:
    """The outcome of every wait and of every measure of every expectation, in the order of the file."""
    waits = [
        Outcome(one.name, "when", "", "comes to hold", one.seen or f"after {one.ended - one.began:.2f} s",
                not one.seen or one.excused, one.ended - one.began, "s")
        for one in course.waitings
    ]  # fmt: skip
    return (*waits, *(outcome for expected in expectations for outcome in _expectation(expected, course)))


def measured(wanted: Measures, window: Window, course: Course) -> Iterator[Outcome]:
    """The outcomes of the measures that look at one window."""
    if wanted.probe:
        return probed(wanted, window, course.samples.get(wanted.probe, ()))
    return answered(wanted, window, course)


def _expectation(expected: Expectation, course: Course) -> Iterator[Outcome]:
    window = course.window(expected)
    if expected.no_errors_in is not None:
        yield _no_errors(expected.no_errors_in, window, course)
        return
    detecting = expected.detect_within is not None
    asked = expected.model_copy(update={"value": None}) if detecting else expected
    yield from measured(asked, window, course)
    if expected.during:
        yield from reactions(expected, course)


def _no_errors(cluster: str, window: Window, course: Course) -> Outcome:
    calls = [
        call
        for name, records in course.calls.items()
        if name.split("/")[0] == cluster
        for call in window.of(records)
    ]
    failed = [call for call in calls if not call.good]
    seen = f"{len(failed)} of {len(calls)}{errors(calls)}" if calls else "no calls"
    return Outcome(f"{cluster}/*", "errors", window.words, "none", seen, bool(calls) and not failed)
