"""Whether a Job is decided, and the conditions that say so. Pure.

As upstream since 1.31: SuccessCriteriaMet or FailureTarget come first, Complete or Failed when no pod is
left running and every pod is counted.
"""

from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object, condition, is_condition_true, now, parse_time
from lab.pocket.controllers.jobs.counting import Tally, View
from lab.pocket.controllers.jobs.indexes import is_indexed, parse

INTERIM = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


@dataclass(frozen=True)
class Outcome:
    """`kind` is Complete or Failed."""

    kind: str
    reason: str
    message: str


COMPLETE = Outcome("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
BACKOFF = Outcome("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = Outcome("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
FAILED_INDEXES = Outcome("Failed", "FailedIndexes", "Job has failed indexes")
TOO_MANY_INDEXES = Outcome(
    "Failed", "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
)


def is_over(job: Object) -> bool:
    """Complete or Failed: nothing changes any more."""
    return is_condition_true(job, "Complete") or is_condition_true(job, "Failed")


def decided(job: Object) -> Outcome | None:
    """An outcome that the status tells already."""
    for kind, interim in INTERIM.items():
        seen = condition(job, interim)
        if seen and seen.get("status") == "True":
            return Outcome(kind, str(seen.get("reason")), str(seen.get("message")))
    return None


def outcome(view: View, tally: Tally) -> Outcome | None:
    """None while the Job goes on."""
    job, spec = view.job, view.job["spec"]
    if found := decided(job):
        return found
    if tally.fatal:
        return Outcome("Failed", "PodFailurePolicy", tally.fatal)
    limit = spec.get("backoffLimit")
    if limit is not None and (tally.all_failed > int(limit) or _restarted_too_often(view, int(limit))):
        return BACKOFF
    left = seconds_left(view)
    if left is not None and left <= 0:
        return DEADLINE
    if is_indexed(job) and (found := _of_indexes(job, tally)):
        return found
    return COMPLETE if _is_complete(view, tally) else None


def seconds_left(view: View) -> float | None:
    """Until activeDeadlineSeconds ends the Job; None when nothing does."""
    limit, since = view.job["spec"].get("activeDeadlineSeconds"), view.status.get("startTime")
    if limit is None or not since or view.job["spec"].get("suspend"):
        return None
    return parse_time(since).timestamp() + int(limit) - view.at


def _is_complete(view: View, tally: Tally) -> bool:
    wanted = view.job["spec"].get("completions")
    if wanted is None:  # a work queue: one success, and nobody is at work any more
        return tally.all_succeeded > 0 and not view.active and not view.terminating
    return tally.all_succeeded >= int(wanted)


def _restarted_too_often(view: View, limit: int) -> bool:
    """With restartPolicy OnFailure containers fail in place: their restarts count."""
    if view.job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(each.get("restartCount") or 0)
        for pod in view.active
        for field in ("initContainerStatuses", "containerStatuses")
        for each in (pod.get("status") or {}).get(field) or ()
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _of_indexes(job: Object, tally: Tally) -> Outcome | None:
    most = job["spec"].get("maxFailedIndexes")
    if most is not None and len(tally.failed_indexes) > int(most):
        return TOO_MANY_INDEXES
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        if _satisfies(rule, tally.completed):
            return Outcome("Complete", "SuccessPolicy", f"Matched rules at index {number}")
    all_done = len(tally.failed_indexes | tally.completed) >= int(job["spec"].get("completions") or 0)
    return FAILED_INDEXES if tally.failed_indexes and all_done else None


def _satisfies(rule: dict[str, Any], completed: frozenset[int]) -> bool:
    wanted = rule.get("succeededIndexes")
    among = completed if wanted is None else completed & parse(wanted)
    enough = rule.get("succeededCount")
    return len(among) >= (len(parse(wanted or "")) if enough is None else int(enough))


def conditions(view: View, found: Outcome | None, *, is_final: bool) -> list[dict[str, Any]]:
    """All conditions: what was there, suspension, and the outcome, if any."""
    told = {c["type"]: c for c in view.status.get("conditions") or ()}
    suspended = bool(view.job["spec"].get("suspend"))
    if found is None and suspended != is_condition_true(view.job, "Suspended"):
        word = (
            ("True", "JobSuspended", "Job suspended") if suspended else ("False", "JobResumed", "Job resumed")
        )
        told["Suspended"] = _condition("Suspended", *word)
    if found is not None:
        for kind in (INTERIM[found.kind], found.kind) if is_final else (INTERIM[found.kind],):
            told.setdefault(kind, _condition(kind, "True", found.reason, found.message))
    return list(told.values())


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    at = now()
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastProbeTime": at,
        "lastTransitionTime": at,
    }
