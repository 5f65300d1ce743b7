"""Turns request records into the figures of `/stats`: pure functions, no clock, no I/O.

Latency percentiles are over requests that were answered or timed out; requests that failed at once
(refused, reset, not sent) would make a broken service look fast.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.apps.loadgen.records import Record
from lab.apps.loadgen.targets import Target


@dataclass(frozen=True)
class Stats:
    """One target over one window; shares and success are fractions of 1, None means nothing to tell."""

    target: Target
    count: int
    rate: float
    success: float | None
    p50_ms: float | None
    p99_ms: float | None
    errors: dict[str, int] = field(default_factory=dict)
    answered_by: dict[str, float] = field(default_factory=dict)
    identity_seen: tuple[str, ...] = ()
    statuses: dict[str, int] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        return {
            "url": self.target.url,
            "offeredRate": self.target.rate,
            "rate": _rounded(self.rate, 2),
            "success": _rounded(self.success, 5),
            "p50Ms": _rounded(self.p50_ms, 3),
            "p99Ms": _rounded(self.p99_ms, 3),
            "count": self.count,
            "errors": self.errors,
            "answeredBy": {cluster: _rounded(share, 4) for cluster, share in self.answered_by.items()},
            "identitySeen": list(self.identity_seen),
            "statuses": self.statuses,
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile of ascending values."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def shares(names: Iterable[str]) -> dict[str, float]:
    """Each non-empty name's share of all non-empty names, largest first."""
    counted = Counter(name for name in names if name)
    total = counted.total()
    return {name: count / total for name, count in counted.most_common()}


def summarise(target: Target, records: Sequence[Record], window: float) -> Stats:
    """Figures of one target from its records of the last `window` seconds."""
    timed = sorted(r.latency_ms for r in records if r.status or r.error == "timeout")
    good = [r for r in records if r.good]
    return Stats(
        target=target,
        count=len(records),
        rate=len(records) / window if window > 0 else 0.0,
        success=len(good) / len(records) if records else None,
        p50_ms=percentile(timed, 0.50),
        p99_ms=percentile(timed, 0.99),
        errors=dict(Counter(r.error for r in records if r.error).most_common()),
        answered_by=shares(r.cluster for r in good),
        identity_seen=tuple(sorted({r.client for r in records if r.client})),
        statuses={
            str(status): n for status, n in sorted(Counter(r.status for r in records if r.status).items())
        },
    )


def per_target(targets: Iterable[Target], records: Iterable[Record], window: float) -> dict[str, Stats]:
    """Figures of every target; one without records is there too, with None for success and latency."""
    by_name: dict[str, list[Record]] = {}
    for record in records:
        by_name.setdefault(record.target, []).append(record)
    return {target.name: summarise(target, by_name.get(target.name, []), window) for target in targets}
