"""What a probe of a scenario saw in a window → outcomes. Pure; `judge` asks it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from lab.scenarios.course import Sample, Window
from lab.scenarios.outcome import Outcome
from lab.topology.bounds import fits, shown
from lab.topology.measures import Measures


def probed(wanted: Measures, window: Window, taken: Sequence[Sample]) -> Iterator[Outcome]:
    """The outcomes of the measures of a probe."""
    samples = window.samples(taken)
    values = [one.value for one in samples if one.value is not None]
    subject = f"probe {wanted.probe}"
    seen = ", ".join(dict.fromkeys(one.error if one.value is None else shown(one.value) for one in samples))
    numbers = [value for value in values if isinstance(value, float)]
    if wanted.changes is not None:
        changes = float(sum(earlier != later for earlier, later in pairwise(values)))
        ok = bool(values) and wanted.changes.holds(changes)
        found = f"{shown(changes)}: {seen}" if changes else shown(changes) if values else seen or "no samples"
        yield Outcome(subject, "changes", window.words, str(wanted.changes), found, ok, changes)
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
