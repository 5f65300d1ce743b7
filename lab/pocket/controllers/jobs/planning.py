"""Which pods a Job should make or delete next. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.kube.objects import Object, meta, name, parse_time
from lab.pocket.controllers.jobs.counting import FINALIZER, Tally, View, is_failed, replaces_only_failed
from lab.pocket.controllers.jobs.failurepolicy import ruling
from lab.pocket.controllers.jobs.indexes import FAILURES, INDEX, failures_before, index_of, is_indexed
from lab.pocket.controllers.podstate import phase, usefulness
from lab.pocket.controllers.templates import pod_from, random_name

FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 600.0
"""Seconds before a failed pod is replaced; doubled for each failure since the last success."""
AT_ONCE = 500


@dataclass(frozen=True)
class Plan:
    """Pods to make and to delete, and in how many seconds to look again (None: when something changes)."""

    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    again: float | None = None


def plan(view: View, tally: Tally) -> Plan:
    """For a Job that goes on and is not suspended."""
    wanted = _wanted_active(view, tally)
    surplus = _surplus(view, tally, wanted)
    if surplus:
        return Plan(delete=tuple(surplus))
    waiting = len(view.terminating) if replaces_only_failed(view.job) else 0
    missing = min(wanted - len(view.active) - waiting, AT_ONCE)
    if missing <= 0:
        return Plan()
    if not is_indexed(view.job):
        delay = _delay(view, view.pods)
        if delay > 0:
            return Plan(again=delay)
        return Plan(create=tuple(_pod(view.job) for _ in range(missing)))
    return _missing_indexes(view, tally, missing)


def _wanted_active(view: View, tally: Tally) -> int:
    spec = view.job["spec"]
    parallelism = spec.get("parallelism")
    width = 1 if parallelism is None else int(parallelism)
    completions = spec.get("completions")
    if completions is None:
        return len(view.active) if tally.all_succeeded else width
    return max(min(int(completions) - tally.all_succeeded - len(tally.failed_indexes), width), 0)


def _surplus(view: View, tally: Tally, wanted: int) -> list[Object]:
    """Pods without a place of their own first, then the least useful."""
    ranked = sorted(view.active, key=usefulness, reverse=True)
    kept: dict[Any, Object] = {}
    for pod in ranked:
        place = index_of(pod) if is_indexed(view.job) else name(pod)
        taken = place in kept or place in tally.completed | tally.failed_indexes
        if not taken and (not is_indexed(view.job) or place in range(int(view.job["spec"]["completions"]))):
            kept[place] = pod
    misplaced = [pod for pod in ranked if pod not in kept.values()]
    return [*misplaced, *list(kept.values())[wanted:]]


def _missing_indexes(view: View, tally: Tally, missing: int) -> Plan:
    job = view.job
    held = view.terminating if replaces_only_failed(job) else []
    taken = {index_of(pod) for pod in (*view.active, *held)} | tally.completed | tally.failed_indexes
    free = [i for i in range(int(job["spec"]["completions"])) if i not in taken][:missing]
    per_index = job["spec"].get("backoffLimitPerIndex") is not None
    create, delays = [], []
    for index in free:
        former = [pod for pod in view.pods if index_of(pod) == index]
        delay = _delay(view, former if per_index else view.pods)
        if delay > 0:
            delays.append(delay)
        else:
            create.append(_pod(job, index, _failures(job, former) if per_index else None))
    return Plan(create=tuple(create), again=min(delays, default=None))


def _failures(job: Object, former: Iterable[Object]) -> int:
    return max(
        (failures_before(p) + (ruling(job, p).action != "Ignore") for p in former if is_failed(job, p)),
        default=0,
    )


def _delay(view: View, pods: Iterable[Object]) -> float:
    """Seconds until another pod may be made, after those that failed in a row."""
    ends = sorted((_ended_at(p), phase(p) == "Succeeded") for p in pods if _counts(view.job, p))
    row = 0
    for _, good in ends:
        row = 0 if good else row + 1
    if not row:
        return 0.0
    pause: float = min(FIRST_BACKOFF * 2 ** (row - 1), LONGEST_BACKOFF)
    return ends[-1][0] + pause - view.at


def _counts(job: Object, pod: Object) -> bool:
    return phase(pod) == "Succeeded" or (is_failed(job, pod) and ruling(job, pod).action != "Ignore")


def _ended_at(pod: Object) -> float:
    status = pod.get("status") or {}
    ends = [
        ((each.get("state") or {}).get("terminated") or {}).get("finishedAt")
        for each in status.get("containerStatuses") or ()
    ]
    told = [t for t in ends if t] or [
        t for t in (meta(pod).get("deletionTimestamp"), meta(pod).get("creationTimestamp")) if t
    ]
    return max((parse_time(t).timestamp() for t in told), default=0.0)


def _pod(job: Object, index: int | None = None, failures: int | None = None) -> Object:
    own, generate = random_name(name(job) if index is None else f"{name(job)}-{index}")
    pod = pod_from(job, own)
    head = pod["metadata"]
    head["generateName"], head["finalizers"] = generate, [*(head.get("finalizers") or ()), FINALIZER]
    if index is None:
        return pod
    number = {INDEX: str(index)}
    counted = {} if failures is None else {FAILURES: str(failures)}
    head["annotations"] = {**(head.get("annotations") or {}), **number, **counted}
    head["labels"] = {**head["labels"], **number}
    spec = {**pod["spec"]}
    spec.setdefault("hostname", f"{name(job)}-{index}"[:63])
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_told_its_index(container) for container in spec[field]]
    return {**pod, "spec": spec}


def _told_its_index(container: dict[str, Any]) -> dict[str, Any]:
    known = container.get("env") or []
    if any(variable.get("name") == "JOB_COMPLETION_INDEX" for variable in known):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    return {**container, "env": [*known, {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]}
