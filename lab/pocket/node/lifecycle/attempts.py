"""The history of a container as runs that started and ended, and what follows from it.

Pure. Attempts are read back from the runtime after a node restart, so back-off survives one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FIRST_DELAY = 10.0
LONGEST_DELAY = 300.0
CALM = 600.0
"""A container that ran this long since its last restart starts afresh."""


@dataclass(frozen=True)
class Attempt:
    """One run of a container; `exit_code` is None while it runs.

    `message` is what the program left behind (its termination message); `reason` is empty where the exit
    code says it all.
    """

    number: int
    started_at: float
    exit_code: int | None = None
    finished_at: float | None = None
    reason: str = ""
    message: str = ""

    @property
    def running(self) -> bool:
        return self.exit_code is None


@dataclass(frozen=True)
class Waiting:
    """Why the latest start did not come about, and when it is tried again."""

    reason: str
    message: str
    retry_at: float


@dataclass(frozen=True)
class ContainerView:
    """All that decisions about one container may depend on."""

    name: str
    attempts: tuple[Attempt, ...] = ()
    started: bool = False
    ready: bool = False
    waiting: Waiting | None = None

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def running(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].running

    @property
    def succeeded(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].exit_code == 0


def restart_delay(attempts: Sequence[Attempt]) -> float:
    """Seconds to wait after the end of the last attempt: 0, 10, 20, 40 … 300, as upstream.

    The first restart is immediate; a run of ten minutes resets the series.
    """
    delay, updated = 0.0, None
    for before, after in pairwise(attempts):
        fresh = updated is None or _calm(before, updated)
        delay = FIRST_DELAY if fresh else min(delay * 2, LONGEST_DELAY)
        updated = after.started_at
    if updated is None or _calm(attempts[-1], updated):
        return 0.0
    return delay


def restart_at(attempts: Sequence[Attempt]) -> float:
    """When the next attempt may begin."""
    if not attempts or attempts[-1].finished_at is None:
        return 0.0
    return attempts[-1].finished_at + restart_delay(attempts)


def _calm(attempt: Attempt, updated: float) -> bool:
    return attempt.finished_at is not None and attempt.finished_at - updated > CALM
