"""Pods on the real API server with the real node; only the processes are records in memory."""

import signal
from pathlib import Path
from typing import Any

from lab.base.wait import until
from lab.kube.kinds import CONFIG_MAPS, PODS
from lab.pocket.node.runtime import ContainerState
from tests.node.cluster import Cluster, container, is_ready


async def test_pod_becomes_ready_with_its_address_in_the_status(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    pod = await cluster.ready("web")
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"] == "10.20.0.2"
    assert pod["spec"]["nodeName"] == "west-node"


async def test_what_somebody_else_says_of_a_pods_readiness_is_written_over(cluster: Cluster) -> None:
    """As the node controller does when it has not heard of a node."""
    await cluster.make_pod("web")
    pod = await cluster.ready("web")
    told = [{**c, "status": "False"} if c["type"] == "Ready" else c for c in pod["status"]["conditions"]]
    await cluster.client.patch(PODS, "web", {"status": {"conditions": told}}, "default", "status")
    await cluster.ready("web")


async def test_deleted_pod_is_terminated_and_leaves_nothing(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    await cluster.ready("web")
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until_gone(PODS, "web")
    assert not cluster.runtime.sandboxes
    assert not list(cluster.config.pods_dir.iterdir())


async def test_unknown_image_is_told_with_the_way_to_map_it(cluster: Cluster) -> None:
    await cluster.make_pod("web", container("app", image="unknown:1"))

    def waits(pod: dict[str, Any]) -> bool:
        [status] = pod["status"].get("containerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "ErrImageNeverPull"

    pod = await cluster.until(PODS, "web", waits)
    assert "map it under" in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]


async def test_container_that_ends_is_restarted_and_counted(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    await cluster.ready("web")
    cluster.runtime.end(cluster.runtime.running("app")[0], 1)
    pod = await cluster.until(
        PODS, "web", lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1 and is_ready(p)
    )
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1


async def test_program_that_fails_at_once_ends_in_crash_loop_backoff(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 2
    await cluster.make_pod("web")

    def backs_off(pod: dict[str, Any]) -> bool:
        [status] = pod["status"].get("containerStatuses") or [{}]
        return status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"

    await cluster.until(PODS, "web", backs_off)


async def test_init_containers_run_before_the_app(cluster: Cluster) -> None:
    cluster.runtime.instant["setup"] = 0
    await cluster.make_pod("web", initContainers=[container("setup")])
    await cluster.ready("web")
    assert [key.split("/")[1] for key in cluster.runtime.specs] == ["setup", "app"]


async def test_pod_of_policy_never_succeeds_when_its_program_does(cluster: Cluster) -> None:
    cluster.runtime.instant["app"] = 0
    await cluster.make_pod("job", restartPolicy="Never")
    await cluster.until(PODS, "job", lambda p: p["status"].get("phase") == "Succeeded")


async def test_stubborn_container_is_killed_after_its_grace_period(cluster: Cluster) -> None:
    cluster.runtime.stubborn.add("app")
    await cluster.make_pod("web", terminationGracePeriodSeconds=1)
    await cluster.ready("web")
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until_gone(PODS, "web")
    assert [number for _, number in cluster.runtime.signals] == [signal.SIGTERM, signal.SIGKILL]


async def test_pre_stop_hook_runs_before_the_signal(cluster: Cluster) -> None:
    hook = {"preStop": {"exec": {"command": ["drain"]}}}
    await cluster.make_pod("web", container("app", lifecycle=hook))
    await cluster.ready("web")
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until_gone(PODS, "web")
    assert [argv for _, argv in cluster.runtime.execs] == [("drain",)]


async def test_restarted_node_adopts_running_containers(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    await cluster.ready("web")
    before = cluster.runtime.running("app")
    await cluster.stop_node()
    cluster.start_node()
    await cluster.make_pod("later")
    await cluster.ready("later")
    assert cluster.runtime.running("app")[0] == before[0]
    assert (await cluster.get(PODS, "web"))["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_container_lost_while_the_node_was_away_is_restarted(cluster: Cluster) -> None:
    await cluster.make_pod("web")
    await cluster.ready("web")
    await cluster.stop_node()
    cluster.runtime.states.clear()
    cluster.runtime.sandboxes.clear()
    cluster.start_node()
    await cluster.until(
        PODS, "web", lambda p: p["status"]["containerStatuses"][0]["restartCount"] == 1 and is_ready(p)
    )


async def test_sandbox_of_a_pod_that_is_gone_is_removed_at_start(bare: Cluster) -> None:
    bare.runtime.states["gone/app/0"] = ContainerState("gone/app/0", "gone", 1, 0.0)
    await bare.runtime.sandbox("gone", "default", "gone", "gone")
    bare.start_node()
    await bare.make_pod("web")
    await bare.ready("web")
    assert "gone" not in bare.runtime.sandboxes


async def test_failing_readiness_probe_makes_the_pod_unready(cluster: Cluster) -> None:
    cluster.runtime.answers[("ok",)] = (0, b"")
    probe = {"exec": {"command": ["ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    await cluster.make_pod("web", container("app", readinessProbe=probe))
    await cluster.ready("web")
    cluster.runtime.answers[("ok",)] = (1, b"no")
    await cluster.until(PODS, "web", lambda p: not is_ready(p))


async def test_failing_liveness_probe_restarts_the_container(cluster: Cluster) -> None:
    cluster.runtime.answers[("alive",)] = (1, b"")
    probe = {"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1}
    await cluster.make_pod("web", container("app", livenessProbe=probe))
    await cluster.until(PODS, "web", lambda p: cluster.runtime.signals)
    await cluster.until(PODS, "web", lambda p: p["status"]["containerStatuses"][0]["restartCount"] >= 1)


async def test_container_finds_its_token_names_and_service_address(cluster: Cluster) -> None:
    env = [
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "URL", "value": "http://$(IP)/"},
    ]
    await cluster.make_pod("web", container("app", env=env))
    await cluster.ready("web")
    [spec] = cluster.runtime.specs.values()
    mounts = {mount.target: Path(mount.source) for mount in spec.mounts}
    account = mounts["/var/run/secrets/kubernetes.io/serviceaccount"]
    assert (account / "token").read_text().count(".") == 2
    assert "default.svc.cluster.local" in mounts["/etc/resolv.conf"].read_text()
    assert (spec.env["URL"], spec.env["KUBERNETES_SERVICE_HOST"]) == ("http://10.20.0.2/", "10.120.0.1")


async def test_pod_waits_for_its_config_map_and_sees_its_changes(cluster: Cluster) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/conf"}]}
    volumes = [{"name": "v", "configMap": {"name": "conf"}}]
    await cluster.make_pod("web", container("app", **mount), volumes=volumes)
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf", "namespace": "default"}}
    await cluster.client.create(CONFIG_MAPS, {**made, "data": {"k": "one"}})
    await cluster.ready("web")
    [spec] = cluster.runtime.specs.values()
    file = next(Path(m.source) for m in spec.mounts if m.target == "/conf") / "k"
    assert file.read_text() == "one"
    await cluster.client.patch(CONFIG_MAPS, "conf", {"data": {"k": "two"}}, "default")

    async def changed() -> bool:
        return file.read_text() == "two"

    await until(changed, timeout=5, what="the new content", every=0.02)
