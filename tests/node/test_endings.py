"""How pods and containers end: deadlines, full volumes, last words, hooks and probes that stop them."""

from pathlib import Path
from typing import Any

import pytest

from lab.base.wait import until
from lab.kube.kinds import EVENTS, PODS
from lab.pocket.node import limits
from tests.node.cluster import Cluster, container


def terminated(pod: dict[str, Any], state: str = "state") -> dict[str, Any]:
    """The end of the only container that the status shows; empty while there is none."""
    [status] = (pod.get("status") or {}).get("containerStatuses") or [{}]
    found: dict[str, Any] = (status.get(state) or {}).get("terminated") or {}
    return found


async def test_pod_that_outlives_its_deadline_fails(cluster: Cluster) -> None:
    await cluster.make_pod("job", activeDeadlineSeconds=1, restartPolicy="Never")
    pod = await cluster.until(PODS, "job", terminated)
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert not cluster.runtime.running("app")


async def test_deadline_also_ends_a_pod_that_waits_for_a_volume(cluster: Cluster) -> None:
    volumes = [{"name": "v", "configMap": {"name": "never"}}]
    await cluster.make_pod("job", activeDeadlineSeconds=1, volumes=volumes)
    await cluster.until(PODS, "job", lambda p: p["status"].get("reason") == "DeadlineExceeded")


async def test_failed_pod_stays_failed_after_a_restart_of_the_node(cluster: Cluster) -> None:
    await cluster.make_pod("job", activeDeadlineSeconds=1)
    await cluster.until(PODS, "job", terminated)
    await cluster.stop_node()
    cluster.start_node()
    await cluster.make_pod("later")
    await cluster.ready("later")
    assert (await cluster.get(PODS, "job"))["status"]["reason"] == "DeadlineExceeded"


async def test_failed_pod_whose_container_still_runs_is_not_started_again_by_the_next_node(
    cluster: Cluster,
) -> None:
    cluster.runtime.stubborn.add("app")
    await cluster.make_pod("job", activeDeadlineSeconds=1, terminationGracePeriodSeconds=600)
    await cluster.until(PODS, "job", lambda p: p["status"].get("reason") == "DeadlineExceeded")
    await cluster.stop_node()
    cluster.runtime.stubborn.clear()
    cluster.start_node()
    await cluster.until(PODS, "job", terminated)
    assert (await cluster.get(PODS, "job"))["status"]["containerStatuses"][0]["restartCount"] == 0
    assert not cluster.runtime.running("app")


async def test_pod_whose_volume_outgrew_its_limit_is_evicted(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEASURE_EVERY", 0.05)
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "emptyDir": {"sizeLimit": "8Ki"}}]
    await cluster.make_pod("full", container("app", **mounts), volumes=volumes)
    await cluster.ready("full")
    [spec] = cluster.runtime.specs.values()
    folder = next(Path(m.source) for m in spec.mounts if m.target == "/v")
    (folder / "file").write_bytes(b"x" * 20_000)
    pod = await cluster.until(PODS, "full", terminated)
    assert pod["status"]["reason"] == "Evicted"
    assert pod["status"]["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "8Ki". '


def last_words_file(cluster: Cluster) -> Path:
    [spec] = cluster.runtime.specs.values()
    return next(Path(m.source) for m in spec.mounts if m.target == "/dev/termination-log")


async def test_what_a_container_wrote_last_is_its_termination_message(cluster: Cluster) -> None:
    await cluster.make_pod("job", restartPolicy="Never")
    await cluster.ready("job")
    last_words_file(cluster).write_text("out of ideas")
    cluster.runtime.end(cluster.runtime.running("app")[0], 3)
    pod = await cluster.until(PODS, "job", terminated)
    assert (terminated(pod)["message"], terminated(pod)["reason"]) == ("out of ideas", "Error")


async def test_the_log_stands_in_for_a_message_after_a_failure(cluster: Cluster) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    await cluster.make_pod("job", container("app", **policy), restartPolicy="Never")
    await cluster.ready("job")
    cluster.runtime.log(cluster.runtime.running("app")[0], "it broke")
    cluster.runtime.end(cluster.runtime.running("app")[0], 1)
    pod = await cluster.until(PODS, "job", terminated)
    assert terminated(pod)["message"].endswith("it broke\n")


async def test_a_container_killed_for_want_of_memory_says_so(cluster: Cluster) -> None:
    await cluster.make_pod("job", restartPolicy="Never")
    await cluster.ready("job")
    cluster.runtime.end(cluster.runtime.running("app")[0], 137, oom_killed=True)
    pod = await cluster.until(PODS, "job", terminated)
    assert terminated(pod)["reason"] == "OOMKilled"


async def test_a_post_start_hook_holds_up_the_containers_behind_it(cluster: Cluster) -> None:
    hook = {"postStart": {"exec": {"command": ["wait-for-proxy"]}}}
    await cluster.make_pod("web", container("proxy", lifecycle=hook), container("app"))
    await cluster.ready("web")
    assert cluster.runtime.order == ["start proxy", "exec wait-for-proxy", "start app"]


async def test_a_failing_post_start_hook_kills_the_container(cluster: Cluster) -> None:
    cluster.runtime.answers[("no",)] = (1, b"nope")
    hook = {"postStart": {"exec": {"command": ["no"]}}}
    await cluster.make_pod("web", container("app", lifecycle=hook))
    await cluster.until(PODS, "web", lambda p: terminated(p, "lastState"))

    async def told() -> bool:
        return "FailedPostStartHook" in [e["reason"] for e in await cluster.client.list(EVENTS, "default")]

    await until(told, timeout=5, what="an event about the hook")


async def test_a_pod_can_be_deleted_while_its_post_start_hook_hangs(cluster: Cluster) -> None:
    hook = {"postStart": {"sleep": {"seconds": 600}}}
    await cluster.make_pod("web", container("app", lifecycle=hook))
    await cluster.until(PODS, "web", lambda p: cluster.runtime.running("app"))
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until_gone(PODS, "web")


async def test_sidecars_end_after_the_containers_they_serve(cluster: Cluster) -> None:
    init = [container(name, restartPolicy="Always") for name in ("first", "second")]
    await cluster.make_pod("web", initContainers=init)
    await cluster.ready("web")
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until_gone(PODS, "web")
    assert [key.split("/")[1] for key, _ in cluster.runtime.signals] == ["app", "second", "first"]


async def test_a_probe_may_have_a_grace_period_of_its_own(cluster: Cluster) -> None:
    cluster.runtime.answers[("alive",)] = (1, b"")
    cluster.runtime.stubborn.add("app")
    probe = {"exec": {"command": ["alive"]}, "failureThreshold": 1, "terminationGracePeriodSeconds": 1}
    await cluster.make_pod("web", container("app", livenessProbe=probe), terminationGracePeriodSeconds=600)
    await cluster.until(PODS, "web", lambda p: terminated(p, "lastState"))
