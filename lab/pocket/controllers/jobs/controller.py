"""The Job controller: one reconcile per Job, and one pass over its pods in each.

The order of writes is what makes counts exact: the status notes finished pods before they lose their
finalizer, and a status computed from an outdated Job is refused by its resourceVersion.
"""

import asyncio
import time
from typing import Any

from lab.base.errors import LabError
from lab.kube.client import Client
from lab.kube.errors import Conflict, NotFound
from lab.kube.kinds import JOBS, PODS
from lab.kube.objects import (
    Key,
    Object,
    condition,
    controller_of,
    is_condition_true,
    is_deleting,
    key,
    meta,
    name,
    namespace,
    now,
    parse_time,
    resource_version,
    uid,
)
from lab.kube.reconcile import Reconciler
from lab.pocket.controllers.claims import is_controlled_by
from lab.pocket.controllers.jobs.counting import FINALIZER, View, count, counts, is_tracked
from lab.pocket.controllers.jobs.outcome import Outcome, conditions, decided, is_over, outcome, seconds_left
from lab.pocket.controllers.jobs.planning import Plan, plan
from lab.pocket.controllers.ownedpods import OwnedPods
from lab.pocket.controllers.watches import Watches
from lab.pocket.controllers.writing import difference
from lab.pocket.events import Recorder

MANAGER = "kubernetes.io/job-controller"


class JobController:
    """Pods that end, until enough have succeeded or too many failed."""

    def __init__(self, client: Client, watches: Watches, recorder: Recorder) -> None:
        self._client, self._watches, self._recorder = client, watches, recorder
        self._reconciler: Reconciler[Key] = Reconciler("job", self._reconcile)
        self._pods = OwnedPods(client, watches.pods, watches.jobs, recorder, self._reconciler.enqueue)
        self._untracked: set[str] = set()
        """Uids of pods that have lost our finalizer, until the informer tells."""
        watches.jobs.subscribe(self._changed)
        watches.pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        await self._reconciler.run()

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._reconciler.enqueue(key(new or old or {}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or not is_tracked(new):
            self._untracked.discard(uid(new or old or {}))

    async def _reconcile(self, job_key: Key) -> float | None:
        job = self._watches.jobs.get(*job_key)
        await self._release(self._left_behind(job_key, job))
        if job is None or job["spec"].get("managedBy") not in (None, MANAGER):
            return None
        pods = await self._pods.claim(job)
        if is_deleting(job) or is_over(job):
            await self._release(pods)
            return None if is_deleting(job) else await self._expire(job)
        view = View(job, [self._overlaid(pod) for pod in pods], time.time())
        tally = count(view, is_over=decided(job) is not None)
        found = outcome(view, tally)
        todo = _next(view, found) or plan(view, tally)
        problem: LabError | None = None
        try:
            await self._carry_out(view, todo, found)
        except LabError as error:
            problem = error
        mine = [pod for pod in self._pods.list(job_key[0]) if is_controlled_by(pod, job)]
        after = View(job, mine, time.time())
        is_final = not (after.active or after.terminating or tally.noted_succeeded or tally.noted_failed)
        told = conditions(after, found, is_final=is_final and not tally.release)
        await self._write_status(job, {**counts(after, tally), **_times(job, told), "conditions": told})
        self._tell(job, told)
        await self._release(tally.release)
        if problem:
            raise problem
        return min((s for s in (todo.again, seconds_left(after)) if s is not None), default=None)

    async def _carry_out(self, view: View, todo: Plan, found: Outcome | None) -> None:
        if found is None:
            await self._release(todo.delete)  # a pod that the Job itself gives up does not count as failed
        await asyncio.gather(
            *(self._pods.create(view.job, pod) for pod in todo.create),
            *(self._pods.delete(view.job, pod) for pod in todo.delete),
        )

    async def _write_status(self, job: Object, wanted: dict[str, Any]) -> None:
        if patch := difference(wanted, job.get("status") or {}):
            body = {"metadata": {"resourceVersion": resource_version(job)}, "status": patch}
            await self._client.patch(JOBS, name(job), body, namespace(job), "status")

    def _tell(self, job: Object, told: list[dict[str, Any]]) -> None:
        """Events for what has just come true."""
        for each in told:
            seen = condition(job, each["type"])
            if seen is not None and seen.get("status") == each["status"]:
                continue
            match each["type"]:
                case "Complete":
                    self._recorder.record(job, "Completed", "Job completed")
                case "Failed":
                    self._recorder.record(job, each["reason"], each["message"], warning=True)
                case "Suspended":
                    self._recorder.record(job, each["reason"].removeprefix("Job"), each["message"])

    def _left_behind(self, job_key: Key, job: Object | None) -> list[Object]:
        """Pods of a Job by that name that is gone: nobody counts them any more."""
        alive = uid(job) if job is not None else None
        owners = ((pod, controller_of(pod) or {}) for pod in self._pods.list(job_key[0]))
        return [
            pod
            for pod, owner in owners
            if owner.get("kind") == "Job" and owner.get("name") == job_key[1] and owner.get("uid") != alive
        ]

    async def _release(self, pods: list[Object] | tuple[Object, ...]) -> None:
        tracked = [pod for pod in pods if is_tracked(pod) and uid(pod) not in self._untracked]
        await asyncio.gather(*(self._untrack(pod) for pod in tracked))

    def _overlaid(self, pod: Object) -> Object:
        if uid(pod) not in self._untracked:
            return pod
        kept = [f for f in meta(pod).get("finalizers") or () if f != FINALIZER]
        return {**pod, "metadata": {**meta(pod), "finalizers": kept}}

    async def _untrack(self, pod: Object) -> None:
        patch = {"metadata": {"uid": uid(pod), "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        self._untracked.add(uid(pod))
        try:
            await self._client.patch(PODS, name(pod), patch, namespace(pod), type="strategic")
        except (NotFound, Conflict):
            self._untracked.discard(uid(pod))  # gone, or another pod by that name
        except LabError:
            self._untracked.discard(uid(pod))
            raise

    async def _expire(self, job: Object) -> float | None:
        """Delete a finished Job after its ttlSecondsAfterFinished."""
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        done = next((c for c in (condition(job, "Complete"), condition(job, "Failed")) if c), None)
        if ttl is None or done is None:
            return None
        left = parse_time(done["lastTransitionTime"]).timestamp() + int(ttl) - time.time()
        if left > 0:
            return left
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid(job)}}
        try:
            await self._client.delete(JOBS, name(job), namespace(job), **options)
        except (NotFound, Conflict):
            return None
        return None


def _next(view: View, found: Outcome | None) -> Plan | None:
    """A Job that is decided or suspended has no pods; None for one that goes on."""
    if found is not None or view.job["spec"].get("suspend"):
        return Plan(delete=tuple(view.active))
    return None


def _times(job: Object, told: list[dict[str, Any]]) -> dict[str, Any]:
    """startTime and completionTime; a resumed Job starts anew."""
    status = job.get("status") or {}
    types = {c["type"] for c in told if c["status"] == "True"}
    resumed = is_condition_true(job, "Suspended") and "Suspended" not in types
    start = status.get("startTime")
    if (start is None or resumed) and "Suspended" not in types:
        start = now()
    return {"startTime": start, "completionTime": now() if "Complete" in types else None}
