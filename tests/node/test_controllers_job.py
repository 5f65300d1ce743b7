"""Jobs: what is counted, decided and done next, and whole Jobs on the real API server."""

import asyncio
import contextlib
from typing import Any

import pytest

from lab.kube.errors import NotFound
from lab.kube.kinds import JOBS, PODS
from lab.pocket.controllers.jobs.counting import Tally, View, count
from lab.pocket.controllers.jobs.indexes import parse, shown
from lab.pocket.controllers.jobs.outcome import conditions, outcome
from lab.pocket.controllers.jobs.planning import plan
from tests.node.cluster import Cluster
from tests.node.workloads import pod_status, stored, template, workload

Object = dict[str, Any]
FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


def job(status: Object | None = None, **spec: Any) -> Object:
    own = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", **spec}
    own.setdefault("template", template(restartPolicy="Never"))
    return stored(workload("Job", group="batch", **own), **(status or {}))


def indexed(completions: int = 3, **spec: Any) -> Object:
    return job(completionMode="Indexed", completions=completions, parallelism=completions, **spec)


def pod(name: str, phase: str = "Running", *, index: int | None = None, **more: Any) -> Object:
    meta: Object = {"name": name, "namespace": "default", "finalizers": [FINALIZER], **more.pop("meta", {})}
    if index is not None:
        meta["annotations"] = {INDEX: str(index), **meta.get("annotations", {})}
    return pod_status({"metadata": meta, "spec": {}}, phase, **more)


LEAVING = {"deletionTimestamp": "1970-01-01T00:00:00Z"}
FREE: Object = {"finalizers": []}


def counted(own: Object, *pods: Object, is_over: bool = False) -> Tally:
    return count(View(own, pods), is_over=is_over)


def test_finished_pod_is_noted_before_it_counts() -> None:
    tally = counted(job(), pod("a", "Succeeded"))
    assert (tally.succeeded, tally.noted_succeeded) == (0, ("uid of a",))
    assert [p["metadata"]["name"] for p in tally.release] == ["a"]


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([pod("a", "Succeeded", meta=FREE)], id="without its finalizer"),
        pytest.param([], id="gone"),
    ],
)
def test_noted_pod_counts_once_it_is_released(pods: list[Object]) -> None:
    own = job({"succeeded": 2, "uncountedTerminatedPods": {"succeeded": ["uid of a"]}})
    tally = counted(own, *pods)
    assert (tally.succeeded, tally.noted_succeeded, tally.release) == (3, (), ())


def test_pod_that_was_counted_is_not_counted_again() -> None:
    tally = counted(job({"succeeded": 1}), pod("a", "Succeeded", meta=FREE))
    assert (tally.all_succeeded, tally.release) == (1, ())


@pytest.mark.parametrize(
    ("spec", "failed"),
    [
        pytest.param({}, 1, id="counts at once"),
        pytest.param({"podReplacementPolicy": "Failed"}, 0, id="only when it has ended"),
    ],
)
def test_deleted_pod_counts_as_failed(spec: Object, failed: int) -> None:
    assert counted(job(**spec), pod("a", meta=LEAVING)).all_failed == failed


def test_success_of_an_index_counts_once() -> None:
    tally = counted(
        indexed(), pod("a", "Succeeded", index=1), pod("b", "Succeeded", index=1), pod("c", "Failed", index=9)
    )
    assert (tally.succeeded, tally.completed, tally.all_failed) == (1, {1}, 0)
    assert len(tally.release) == 3


def failing(code: int) -> Object:
    return {"containerStatuses": [{"name": "app", "state": {"terminated": {"exitCode": code}}}]}


def policy(action: str) -> Object:
    return {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [42]}}]}


@pytest.mark.parametrize(
    ("action", "failed", "reason"),
    [
        pytest.param("Ignore", 0, None, id="ignored"),
        pytest.param("Count", 1, None, id="counted"),
        pytest.param("FailJob", 1, "PodFailurePolicy", id="fails the job"),
    ],
)
def test_failure_policy(action: str, failed: int, reason: str | None) -> None:
    own = job(podFailurePolicy=policy(action))
    pods = [pod("a", "Failed", **failing(42))]
    tally = counted(own, *pods)
    found = outcome(View(own, pods), tally)
    assert (tally.all_failed, found and found.reason) == (failed, reason)


def test_limit_per_index_fails_the_index_and_not_the_others() -> None:
    own = indexed(2, backoffLimitPerIndex=1)
    again = {"annotations": {"batch.kubernetes.io/job-index-failure-count": "1"}}
    pods = [pod("a", "Failed", index=0, meta=again), pod("b", index=1)]
    tally = counted(own, *pods)
    assert tally.failed_indexes == {0}
    assert plan(View(own, pods, 1e9), tally).create == ()


def test_failed_pod_of_a_limited_index_stays_until_its_successor_carries_the_count() -> None:
    own = indexed(1, backoffLimitPerIndex=2)
    failed = pod("a", "Failed", index=0)
    tally = counted(own, failed)
    [successor] = plan(View(own, [failed], 1e9), tally).create
    assert (tally.release, tally.all_failed) == ((), 0)
    notes = successor["metadata"]["annotations"]
    assert notes["batch.kubernetes.io/job-index-failure-count"] == "1"


@pytest.mark.parametrize(
    ("own", "pods", "tally", "reason"),
    [
        pytest.param(job(), [], Tally(succeeded=1), "CompletionsReached", id="enough"),
        pytest.param(job(completions=2), [], Tally(succeeded=1), None, id="not enough"),
        pytest.param(job(completions=None), [pod("a")], Tally(succeeded=1), None, id="queue at work"),
        pytest.param(job(completions=None), [], Tally(succeeded=1), "CompletionsReached", id="queue done"),
        pytest.param(
            job(backoffLimit=1), [], Tally(failed=2), "BackoffLimitExceeded", id="too many failures"
        ),
        pytest.param(job(backoffLimit=1), [], Tally(failed=1), None, id="as many as allowed"),
        pytest.param(
            job({"startTime": "1970-01-01T00:00:00Z"}, activeDeadlineSeconds=5),
            [pod("a")],
            Tally(),
            "DeadlineExceeded",
            id="too late",
        ),
        pytest.param(
            job(backoffLimit=2, template=template(restartPolicy="OnFailure")),
            [pod("a", containerStatuses=[{"name": "app", "restartCount": 2}])],
            Tally(),
            "BackoffLimitExceeded",
            id="too many restarts",
        ),
        pytest.param(
            indexed(2, backoffLimitPerIndex=0),
            [],
            Tally(succeeded=1, completed=frozenset({0}), failed_indexes=frozenset({1})),
            "FailedIndexes",
            id="an index failed",
        ),
        pytest.param(
            indexed(3, backoffLimitPerIndex=0, maxFailedIndexes=0),
            [],
            Tally(failed_indexes=frozenset({1})),
            "MaxFailedIndexesExceeded",
            id="too many indexes failed",
        ),
        pytest.param(
            indexed(3, successPolicy={"rules": [{"succeededIndexes": "0,2", "succeededCount": 1}]}),
            [],
            Tally(succeeded=1, completed=frozenset({2})),
            "SuccessPolicy",
            id="the one that mattered",
        ),
    ],
)
def test_outcome(own: Object, pods: list[Object], tally: Tally, reason: str | None) -> None:
    found = outcome(View(own, pods, 10.0), tally)
    assert (found and found.reason) == reason


def test_outcome_is_final_only_when_all_pods_are_counted() -> None:
    view = View(job())
    found = outcome(view, Tally(succeeded=1))
    first = [c["type"] for c in conditions(view, found, is_final=False)]
    then = [c["type"] for c in conditions(view, found, is_final=True)]
    assert (first, then) == (["SuccessCriteriaMet"], ["SuccessCriteriaMet", "Complete"])


@pytest.mark.parametrize(
    ("own", "pods", "made", "deleted"),
    [
        pytest.param(job(completions=5, parallelism=3), [], 3, 0, id="as wide as allowed"),
        pytest.param(job({"succeeded": 4}, completions=5, parallelism=3), [], 1, 0, id="no more than needed"),
        pytest.param(job(parallelism=0), [pod("a")], 0, 1, id="narrowed"),
        pytest.param(job(completions=None, parallelism=2), [pod("a")], 1, 0, id="queue"),
        pytest.param(job({"succeeded": 1}, completions=None), [pod("a")], 0, 0, id="queue runs dry"),
        pytest.param(
            job(podReplacementPolicy="Failed"), [pod("a", meta=LEAVING)], 0, 0, id="waits for the end"
        ),
        pytest.param(indexed(3), [pod("a", index=1)], 2, 0, id="free indexes"),
        pytest.param(indexed(2), [pod("a", index=1), pod("b", index=1)], 0, 1, id="an index twice"),
    ],
)
def test_plan(own: Object, pods: list[Object], made: int, deleted: int) -> None:
    view = View(own, pods, 1e9)
    step = plan(view, count(view, is_over=False))
    assert (len(step.create), len(step.delete)) == (made, deleted)


def test_failed_pods_are_replaced_with_a_growing_delay() -> None:
    ended = [{"name": "app", "state": {"terminated": {"finishedAt": "1970-01-01T00:00:00Z"}}}]
    pods = [pod(n, "Failed", meta=FREE, containerStatuses=ended) for n in "ab"]
    view = View(job({"failed": 2}), pods, 5.0)
    assert plan(view, count(view, is_over=False)).again == 15.0


def test_pod_of_an_index_knows_it() -> None:
    made = plan(View(indexed(1)), Tally()).create[0]
    assert made["metadata"]["annotations"][INDEX] == made["metadata"]["labels"][INDEX] == "0"
    assert made["spec"]["hostname"] == "web-0"
    [variable] = made["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"


@pytest.mark.parametrize("text", ["", "0", "1,3-5", "0-2,7"])
def test_indexes_read_as_they_are_written(text: str) -> None:
    assert shown(parse(text)) == text


async def test_job_completes_and_every_pod_is_counted_once(cluster: Cluster) -> None:
    cluster.runtime.instant["job"] = 0
    await cluster.kubectl("create", "job", "job", "--image=multicluster.lab/apps", "--", "true")
    await cluster.client.patch(JOBS, "job", {"spec": {"parallelism": 2}}, "default")
    await cluster.kubectl("wait", "--for=condition=complete", "job/job", "--timeout=20s")
    shown_job = await cluster.get(JOBS, "job")
    status = shown_job["status"]
    assert (status["succeeded"], status.get("active"), status.get("failed")) == (1, None, None)
    assert [c["type"] for c in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    [pod] = await cluster.until_count(PODS, 1, "batch.kubernetes.io/job-name=job")
    assert not pod["metadata"].get("finalizers")


async def test_indexed_job_runs_every_index(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 0
    own = workload("Job", group="batch", completions=3, parallelism=2, completionMode="Indexed")
    del own["spec"]["selector"]
    own["spec"]["template"] = template(restartPolicy="Never")
    await cluster.client.create(JOBS, own)
    await cluster.kubectl("wait", "--for=condition=complete", "job/web", "--timeout=20s")
    assert (await cluster.get(JOBS, "web"))["status"]["completedIndexes"] == "0-2"


async def test_job_without_a_number_is_a_queue_that_ends_with_its_workers(cluster: Cluster) -> None:
    await cluster.client.create(JOBS, _small(parallelism=2))
    await cluster.until(JOBS, "web", lambda j: (j.get("status") or {}).get("ready") == 2)
    first, second = cluster.runtime.running("app")
    cluster.runtime.end(first, 0)
    await cluster.until(JOBS, "web", lambda j: j["status"].get("succeeded") == 1)
    assert cluster.runtime.running("app") == [second]
    cluster.runtime.end(second, 0)
    await cluster.kubectl("wait", "--for=condition=complete", "job/web", "--timeout=20s")


async def test_job_fails_when_its_pod_may_not_fail(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 3
    await cluster.client.create(JOBS, _small(backoffLimit=0))
    await cluster.kubectl("wait", "--for=condition=failed", "job/web", "--timeout=20s")
    status = (await cluster.get(JOBS, "web"))["status"]
    assert [(c["type"], c["reason"]) for c in status["conditions"]] == [
        ("FailureTarget", "BackoffLimitExceeded"),
        ("Failed", "BackoffLimitExceeded"),
    ]
    assert status["failed"] == 1


async def test_every_success_counts_once_whatever_is_deleted_and_restarted(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 0
    await cluster.client.create(JOBS, _small(completions=24, parallelism=4))
    over, deleted = False, set[str]()

    async def delete_finished() -> None:
        while not over:
            for each in await cluster.client.list(PODS, "default", "app=web"):
                if each["status"]["phase"] == "Succeeded":
                    with contextlib.suppress(NotFound):
                        await cluster.client.delete(PODS, each["metadata"]["name"], "default")
                        deleted.add(each["metadata"]["uid"])

    deleting = asyncio.create_task(delete_finished())
    for done in (5, 10, 15):
        await cluster.until(JOBS, "web", lambda j, n=done: (j.get("status") or {}).get("succeeded", 0) >= n)
        await cluster.stop_controllers()
        cluster.start_controllers()
    await cluster.kubectl("wait", "--for=condition=complete", "job/web", "--timeout=30s")
    over = True
    await deleting
    status = (await cluster.get(JOBS, "web"))["status"]
    assert (status["succeeded"], status.get("failed")) == (24, None)
    assert len(cluster.runtime.specs) == 24
    assert len(deleted) > 5


async def test_suspended_job_gives_up_its_pods_without_counting_them(cluster: Cluster) -> None:
    await cluster.client.create(JOBS, _small())
    await cluster.until(JOBS, "web", lambda j: (j.get("status") or {}).get("ready") == 1)
    await cluster.client.patch(JOBS, "web", {"spec": {"suspend": True}}, "default")
    await cluster.until_count(PODS, 0, "app=web")
    shown_job = await cluster.until(JOBS, "web", lambda j: not j["status"].get("active"))
    assert shown_job["status"].get("failed") is None
    assert shown_job["status"]["conditions"][0]["reason"] == "JobSuspended"
    await cluster.client.patch(JOBS, "web", {"spec": {"suspend": False}}, "default")
    await cluster.until(JOBS, "web", lambda j: j["status"].get("ready") == 1)


async def test_finished_job_goes_with_its_pods_after_its_time(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 0
    await cluster.client.create(JOBS, _small(ttlSecondsAfterFinished=0))
    await cluster.until_gone(JOBS, "web")
    await cluster.until_count(PODS, 0, "app=web")


async def test_deleted_job_lets_its_running_pods_go(cluster: Cluster) -> None:
    await cluster.client.create(JOBS, _small())
    await cluster.until(JOBS, "web", lambda j: (j.get("status") or {}).get("ready") == 1)
    await cluster.kubectl("delete", "job", "web")
    await cluster.until_count(PODS, 0, "app=web")


def _small(**spec: Any) -> Object:
    own = workload("Job", group="batch", template=template(restartPolicy="Never"), **spec)
    del own["spec"]["selector"]
    return own
