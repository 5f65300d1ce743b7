"""Counts a Job's finished pods, each exactly once, although pods may be deleted at any time. Pure.

As upstream: every pod carries a finalizer. A finished pod is first noted by uid in the status, then loses
the finalizer, and only when that is seen does its uid turn into a count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.kube.objects import Object, is_deleting, meta, uid
from lab.pocket.controllers.jobs.failurepolicy import Ruling, ruling
from lab.pocket.controllers.jobs.indexes import failures_before, index_of, is_indexed, parse, shown
from lab.pocket.controllers.podstate import is_active, is_finished, is_ready, phase

FINALIZER = "batch.kubernetes.io/job-tracking"


@dataclass(frozen=True)
class View:
    """A Job with its pods, at a moment (seconds since the epoch)."""

    job: Object
    pods: Sequence[Object] = field(default_factory=tuple)
    at: float = 0.0

    @property
    def status(self) -> dict[str, Any]:
        return self.job.get("status") or {}

    @property
    def active(self) -> list[Object]:
        return [pod for pod in self.pods if is_active(pod)]

    @property
    def terminating(self) -> list[Object]:
        return [pod for pod in self.pods if is_deleting(pod) and not is_finished(pod)]

    @property
    def ready(self) -> int:
        return sum(is_ready(pod) for pod in self.active)


@dataclass(frozen=True)
class Tally:
    """What is known to have succeeded and failed; pods in `release` may lose their finalizer once it is
    written down. `fatal` is the message of a failure that fails the whole Job."""

    succeeded: int = 0
    failed: int = 0
    noted_succeeded: tuple[str, ...] = ()
    noted_failed: tuple[str, ...] = ()
    completed: frozenset[int] = frozenset()
    failed_indexes: frozenset[int] = frozenset()
    release: tuple[Object, ...] = ()
    fatal: str = ""

    @property
    def all_succeeded(self) -> int:
        return self.succeeded + len(self.noted_succeeded)

    @property
    def all_failed(self) -> int:
        return self.failed + len(self.noted_failed)


def is_tracked(pod: Object) -> bool:
    return FINALIZER in (meta(pod).get("finalizers") or ())


def replaces_only_failed(job: Object) -> bool:
    """A terminating pod is replaced when it has ended, not when it starts to end."""
    policy = job["spec"].get("podReplacementPolicy")
    return bool(policy == "Failed" or (policy is None and job["spec"].get("podFailurePolicy")))


def is_failed(job: Object, pod: Object) -> bool:
    """Failed, or on its way out, which is as good as failed unless the Job waits for the end."""
    if phase(pod) == "Failed":
        return True
    return is_deleting(pod) and phase(pod) != "Succeeded" and not replaces_only_failed(job)


def count(view: View, *, is_over: bool) -> Tally:
    """`is_over`: the Job's outcome is decided, so whatever has not succeeded by now has failed."""
    return _Count(view, is_over).result()


class _Count:
    def __init__(self, view: View, is_over: bool) -> None:
        self._view, self._job, self._is_over = view, view.job, is_over
        self._tracked = {uid(pod): pod for pod in view.pods if is_tracked(pod)}
        noted = view.status.get("uncountedTerminatedPods") or {}
        self._good = [u for u in noted.get("succeeded") or () if u in self._tracked]
        self._bad = [u for u in noted.get("failed") or () if u in self._tracked]
        self._settled = tuple(
            int(view.status.get(way) or 0) + len(noted.get(way) or ()) - len(still)
            for way, still in (("succeeded", self._good), ("failed", self._bad))
        )
        self._completed = set(parse(view.status.get("completedIndexes") or ""))
        self._failed_indexes = set(parse(view.status.get("failedIndexes") or ""))
        self._release: list[Object] = []
        self._fatal = ""

    def result(self) -> Tally:
        for pod in self._tracked.values():
            if uid(pod) in (*self._good, *self._bad):
                self._release.append(pod)
            elif phase(pod) == "Succeeded":
                self._succeeded(pod)
            elif is_failed(self._job, pod) or (self._is_over and is_deleting(pod)):
                self._failed(pod)
        indexed = is_indexed(self._job)
        return Tally(
            succeeded=len(self._completed) if indexed else self._settled[0],
            failed=self._settled[1],
            noted_succeeded=tuple(self._good),
            noted_failed=tuple(self._bad),
            completed=frozenset(self._completed),
            failed_indexes=frozenset(self._failed_indexes),
            release=tuple(self._release),
            fatal=self._fatal,
        )

    def _succeeded(self, pod: Object) -> None:
        self._release.append(pod)
        if not is_indexed(self._job):
            self._good.append(uid(pod))
        elif self._is_index(pod) and index_of(pod) not in self._failed_indexes:
            self._completed.add(index_of(pod))  # the index itself keeps it from being counted twice

    def _failed(self, pod: Object) -> None:
        verdict = ruling(self._job, pod) if phase(pod) == "Failed" else Ruling()
        if verdict.action == "FailJob":
            self._fatal = self._fatal or verdict.message
        if is_indexed(self._job) and not self._is_index(pod):
            self._release.append(pod)
            return
        if not self._may_go(pod, verdict.action):
            return
        self._release.append(pod)
        if verdict.action != "Ignore":
            self._bad.append(uid(pod))

    def _may_go(self, pod: Object, action: str) -> bool:
        """With a limit per index, a failed pod stays until its successor carries on the index's count."""
        limit = self._job["spec"].get("backoffLimitPerIndex")
        if limit is None or self._is_over:
            return True
        index = index_of(pod)
        if action == "FailIndex" or (action != "Ignore" and failures_before(pod) >= int(limit)):
            self._failed_indexes.add(index)
        later = (p for p in self._view.pods if index_of(p) == index and p is not pod)
        settled = index in self._failed_indexes or index in self._completed
        return settled or any(failures_before(p) > failures_before(pod) or is_active(p) for p in later)

    def _is_index(self, pod: Object) -> bool:
        return 0 <= index_of(pod) < int(self._job["spec"].get("completions") or 0)


def counts(view: View, tally: Tally) -> dict[str, Any]:
    """The counting part of the status; an absent field is told as None."""
    indexed = is_indexed(view.job)
    return {
        "active": len(view.active) or None,
        "ready": view.ready,
        "terminating": len(view.terminating),
        "succeeded": tally.succeeded or None,
        "failed": tally.failed or None,
        "completedIndexes": (shown(tally.completed) or None) if indexed else None,
        "failedIndexes": shown(tally.failed_indexes)
        if view.job["spec"].get("backoffLimitPerIndex") is not None
        else None,
        "uncountedTerminatedPods": {
            "succeeded": list(tally.noted_succeeded) or None,
            "failed": list(tally.noted_failed) or None,
        },
    }
