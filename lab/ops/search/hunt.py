"""Draws sequences of faults until one fails, and shrinks that one: hypothesis does both.

Playing one takes a lab many seconds, so each is played once, and time and tries are bounded. Hypothesis ends
shrinking by itself after five minutes at the latest.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import hypothesis
from hypothesis import strategies
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import NoSuchExample

from lab.base.errors import LabError, UsageError
from lab.ops.search.space import SECONDS, Candidate, Hit, Hits, words
from lab.topology.grammar import parse_duration

MOST_UNPLAYABLE = 3
"""Sequences one after the other that could not be played, after which something else is wrong."""


class Unplayable(LabError):
    """A sequence could not be carried out, which says nothing about expectations."""


@dataclass(frozen=True)
class Budget:
    """How far a search goes: sequences before the first that fails, seconds altogether, faults in one."""

    tries: int
    seconds: float
    faults: int
    seed: int = 0


def budget(tries: int, for_: str, faults: int, seed: int) -> Budget:
    """The budget in words of the command line. Raises UsageError."""
    if tries < 1 or faults < 1 or seed < 0:
        raise UsageError("--tries and --max-faults are at least 1, --seed at least 0")
    try:
        return Budget(tries, parse_duration(for_), faults, seed)
    except ValueError as error:
        raise UsageError(f'--for "{for_}": found no duration', remedy=f"use {error}") from error


class Over(BaseException):
    """Ends a hunt at once. No Exception: hypothesis would take that for what it looks for."""


@dataclass
class Hunt:
    """The condition that hypothesis tries: whether a sequence fails. A LabError of `play` ends the hunt."""

    play: Callable[[Hits], bool]
    budget: Budget
    known: dict[str, bool] = field(default_factory=dict)
    """What came of each sequence that was played, in its words."""
    best: Hits | None = None
    """The last that failed: hypothesis tries only simpler ones after it."""
    unplayable: int = 0
    error: LabError | None = None
    began: float = field(default_factory=time.monotonic)
    _in_a_row: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be played."""
        late = time.monotonic() - self.began > self.budget.seconds
        return late or (self.best is None and len(self.known) >= self.budget.tries)

    def __call__(self, sequence: Hits) -> bool:
        said = words(sequence)
        if said not in self.known:
            if self.is_over:
                raise Over
            self.known[said] = self._played(sequence)
        if self.known[said]:
            self.best = sequence
        return self.known[said]

    def _played(self, sequence: Hits) -> bool:
        try:
            failed = self.play(sequence)
        except Unplayable as error:
            self.unplayable += 1
            self._in_a_row += 1
            if self._in_a_row < MOST_UNPLAYABLE:
                return False
            self.error = error
        except LabError as error:
            self.error = error
        else:
            self._in_a_row = 0
            return failed
        raise Over


def shortest(drawn_from: Sequence[Candidate], hunt: Hunt) -> Hits | None:
    """The simplest sequence found that fails, or None. Raises the LabError that ended the hunt."""
    hit = strategies.builds(
        Hit, strategies.sampled_from(drawn_from), strategies.sampled_from(SECONDS), strategies.booleans()
    )
    sequences = strategies.lists(hit, min_size=1, max_size=hunt.budget.faults).map(tuple)
    settings = hypothesis.settings(
        max_examples=100 * hunt.budget.tries,  # many are the same in words; the hunt ends itself
        database=None,
        deadline=None,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    with tempfile.TemporaryDirectory(prefix="lab-search-") as home:
        set_hypothesis_home_dir(home)  # it would keep notes in the working folder
        with contextlib.suppress(Over, NoSuchExample):
            hypothesis.find(sequences, hunt, settings=settings, random=Random(hunt.budget.seed))
    if hunt.error:
        raise hunt.error
    return hunt.best
