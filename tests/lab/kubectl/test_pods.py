"""The life of pods on a real lab: rollouts, sidecars, probes, crashes, and an end that leaves nothing."""

import os
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.kubectl.plain import SHELL, kubectl, run_pod, state_of

pytestmark = pytest.mark.netns


def test_scale_restart_and_undo_roll_out(lab: RunningLab) -> None:
    kubectl(lab, "scale", "deploy/echo", "--replicas=2")
    kubectl(lab, "wait", "--for=jsonpath={.status.readyReplicas}=2", "deploy/echo", "--timeout=15s")
    for words in (("restart",), ("undo",)):
        kubectl(lab, "rollout", *words, "deploy/echo")
        assert "successfully" in kubectl(lab, "rollout", "status", "deploy/echo", "--timeout=20s")
    assert kubectl(lab, "rollout", "history", "deploy/echo").split()[-4:] == ["2", "<none>", "3", "<none>"]
    kubectl(lab, "scale", "deploy/echo", "--replicas=1")
    kubectl(lab, "wait", "--for=condition=Available", "deploy/echo", "--timeout=15s")
    lab.eventually(
        "one pod", lambda: len(kubectl(lab, "get", "pods", "-l", "app=echo", "-o", "name").split()) == 1
    )


def test_a_native_sidecar_counts_as_ready_and_ends_with_its_pod(lab: RunningLab, tmp_path: Path) -> None:
    side = f'{{name: side, restartPolicy: Always, image: "example.com/sh:1", args: ["{SHELL}"]}}'
    main = '{name: main, image: "example.com/sh:1", args: ["while [ ! -e /tmp/over ]; do sleep 0.1; done"]}'
    run_pod(lab, tmp_path, "native", f"restartPolicy: Never, initContainers: [{side}], containers: [{main}]")
    kubectl(lab, "wait", "--for=condition=Ready", "pod/native", "--timeout=10s")
    assert "2/2" in state_of(lab, "native")
    kubectl(lab, "exec", "native", "-c", "main", "--", "touch", "/tmp/over")
    lab.eventually(
        "completion", lambda: "0/2" in state_of(lab, "native") and "Completed" in state_of(lab, "native")
    )


def test_an_unknown_image_says_how_to_map_it(lab: RunningLab) -> None:
    kubectl(lab, "run", "unknown", "--image=ghcr.io/acme/thing:1.2")
    lab.eventually("the reason", lambda: "ErrImageNeverPull" in state_of(lab, "unknown"))
    lab.eventually(
        "the remedy in an event",
        lambda: 'images: {"ghcr.io/acme/thing:*": [' in kubectl(lab, "events", "--for=pod/unknown"),
    )


def test_a_crashing_container_backs_off_and_keeps_its_last_words(lab: RunningLab) -> None:
    kubectl(lab, "run", "crash", "--image=example.com/sh:1", "--", "echo last words; exit 4")
    lab.eventually("the back-off", lambda: "CrashLoopBackOff" in state_of(lab, "crash"))
    code = kubectl(
        lab,
        "get",
        "pod",
        "crash",
        "-o",
        "jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}",
    )
    assert code == "4"
    assert kubectl(lab, "logs", "crash", "--previous") == "last words\n"
    lab.eventually("the event", lambda: "Back-off" in kubectl(lab, "events", "--for=pod/crash"))


def test_a_failed_liveness_probe_restarts_the_container(lab: RunningLab, tmp_path: Path) -> None:
    probe = '{exec: {command: [test, "!", -e, /tmp/sick]}, periodSeconds: 1, failureThreshold: 1}'
    run_pod(
        lab,
        tmp_path,
        "live",
        f'containers: [{{name: c, image: "example.com/sh:1", args: ["{SHELL}"], livenessProbe: {probe}}}]',
    )
    kubectl(lab, "wait", "--for=condition=Ready", "pod/live", "--timeout=10s")
    kubectl(lab, "exec", "live", "--", "touch", "/tmp/sick")
    restarts = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"
    kubectl(lab, "wait", restarts, "pod/live", "--timeout=10s")
    lab.eventually("the event", lambda: "Liveness probe failed" in kubectl(lab, "events", "--for=pod/live"))


def test_an_unready_pod_gets_no_traffic_until_it_is_ready(lab: RunningLab, tmp_path: Path) -> None:
    probe = "{exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}"
    run_pod(
        lab,
        tmp_path,
        "slow",
        f'containers: [{{name: c, image: "example.com/sh:1", args: ["{SHELL}"], readinessProbe: {probe}}}]',
    )
    kubectl(lab, "label", "pod", "slow", "app=slow")
    kubectl(lab, "expose", "pod", "slow", "--port=80", "--name=slow")
    ready = "jsonpath={.items[*].endpoints[*].conditions.ready}"
    slices = ("get", "endpointslices", "-l", "kubernetes.io/service-name=slow", "-o", ready)
    lab.eventually("an unready endpoint", lambda: kubectl(lab, *slices) == "false")
    kubectl(lab, "exec", "slow", "--", "touch", "/tmp/ready")
    lab.eventually("a ready endpoint", lambda: kubectl(lab, *slices) == "true")


# Gone without a trace


def traces(lab: RunningLab) -> dict[str, set[str]]:
    """Network namespaces, mounts and pod folders of the lab, as init sees them."""
    root = Path(f"/proc/{lab.host_pid()}")
    mounts = {line.split()[4] for line in (root / "mountinfo").read_text().splitlines()}
    return {
        "netns": set(os.listdir(root / "root/run/netns")),
        "mounts": mounts,
        "folders": set(os.listdir(lab.dir.root / "clusters/one/pods")),
    }


def test_deleted_namespaces_and_forced_deletes_leave_nothing(lab: RunningLab, tmp_path: Path) -> None:
    before = traces(lab)
    kubectl(lab, "create", "namespace", "brief")
    stubborn = "trap '' TERM; echo $0 unique-marker; while true; do sleep 0.1; done"
    for name in ("forced", "kept"):
        kubectl(lab, "run", name, "-n", "brief", "--image=example.com/sh:1", "--", stubborn)
        kubectl(lab, "wait", "-n", "brief", "--for=condition=Ready", f"pod/{name}", "--timeout=10s")
    assert traces(lab) != before
    kubectl(lab, "delete", "pod", "-n", "brief", "forced", "--force", "--grace-period=0")
    kubectl(lab, "delete", "pod", "-n", "brief", "kept", "--grace-period=1")
    kubectl(lab, "delete", "namespace", "brief", "--wait", "--timeout=20s")
    lab.eventually("no trace", lambda: traces(lab) == before)
    lab.eventually("no process", lambda: not _running("unique-marker"))


def _running(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue  # it ended while we looked
    return found
