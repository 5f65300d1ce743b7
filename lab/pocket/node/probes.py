"""Probing of one running container: thresholds (pure) and the loop that asks.

The pod worker starts one `watch` per probe and cancels it when the container ends. Until a probe's
first success it asks in quick succession, so that a pod is Ready as soon as its program is; failures
still count at most once per period.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.base.wait import pause
from lab.pocket.node.outcome import Outcome

QUICK = 0.1
QUICK_FOR = 20.0
"""Seconds after which an unsuccessful probe falls back to its own period."""


@dataclass(frozen=True)
class Rule:
    """The numbers of a probe."""

    delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def of(cls, probe: Mapping[str, Any]) -> "Rule":
        return cls(
            float(probe.get("initialDelaySeconds") or 0),
            float(probe.get("periodSeconds") or 10),
            float(probe.get("timeoutSeconds") or 1),
            int(probe.get("successThreshold") or 1),
            int(probe.get("failureThreshold") or 3),
        )


@dataclass(frozen=True)
class Tally:
    """Consecutive results and the verdict they have led to so far (None = not known yet)."""

    successes: int = 0
    failures: int = 0
    verdict: bool | None = None


def judge(rule: Rule, tally: Tally, ok: bool) -> Tally:
    """The tally after one more result."""
    if ok:
        counted = replace(tally, successes=tally.successes + 1, failures=0)
        return replace(counted, verdict=True) if counted.successes >= rule.successes else counted
    counted = replace(tally, failures=tally.failures + 1, successes=0)
    return replace(counted, verdict=False) if counted.failures >= rule.failures else counted


async def watch(
    rule: Rule,
    ask: Callable[[float], Awaitable[Outcome]],
    report: Callable[[bool, str], None],
    unhealthy: Callable[[str], None],
) -> None:
    """Ask until cancelled; `report` hears every change of verdict, `unhealthy` every counted failure."""
    clock = asyncio.get_running_loop().time
    await pause(rule.delay)
    began, counted_at, tally = clock(), -rule.period, Tally()
    while True:
        asked_at = clock()
        outcome = await ask(rule.timeout)
        if outcome.ok or asked_at - counted_at >= rule.period:
            counted_at = counted_at if outcome.ok else asked_at
            before, tally = tally.verdict, judge(rule, tally, outcome.ok)
            if not outcome.ok:
                unhealthy(outcome.message)
            if tally.verdict is not None and tally.verdict != before:
                report(tally.verdict, outcome.message)
        eager = tally.verdict is not True and clock() - began < QUICK_FOR
        interval = min(QUICK, rule.period) if eager else rule.period
        await pause(max(interval - (clock() - asked_at), 0.01))
