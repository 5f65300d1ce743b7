"""What containers are given on a real lab: input, terminals, users, memory, and claims that outlive them."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.conftest import KUBECTL, RunningLab
from tests.lab.kubectl.plain import Following, following, kubectl, run_pod, state_of

pytestmark = pytest.mark.netns
RUN = ("run", "--rm", "--restart=Never", "--image=example.com/sh:1", "--quiet")


def argv(lab: RunningLab, *words: str) -> list[str]:
    return [
        str(KUBECTL),
        f"--kubeconfig={lab.dir.kubeconfig}",
        f"--context={lab.name}-one",
        "-n",
        "plain",
        *words,
    ]


def container(command: list[str], more: str = "") -> str:
    return f"containers: [{{name: c, image: x, command: {json.dumps(command)}{more}}}]"


def field(lab: RunningLab, pod: str, path: str) -> str:
    return kubectl(lab, "get", "pod", pod, "-o", f"jsonpath={{{path}}}")


LAST_END = ".status.containerStatuses[0].state.terminated"


def test_run_with_input_pipes_it_through_a_pod(lab: RunningLab) -> None:
    words = argv(lab, *RUN, "-i", "pipe", "--command", "--", "cat")
    done = subprocess.run(
        words, input="through\na pod\n", capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "through\na pod\n"


def test_run_with_a_terminal_is_a_session_in_a_pod(lab: RunningLab) -> None:
    outer, inner = pty.openpty()
    words = argv(lab, *RUN, "-it", "session", "--command", "--", "sh")
    process = subprocess.Popen(words, stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    session = Following(process, outer)
    try:
        shown = ("get", "pods", "--no-headers", "session")
        lab.eventually("the pod", lambda: "Running" in kubectl(lab, *shown, code=None))
        os.write(outer, b"echo in $((20 + 22))\n")
        session.until("in 42", within=30)
        os.write(outer, b"exit 6\n")
        assert process.wait(60) == 6
    finally:
        process.kill()
        process.wait()
        os.close(outer)


def test_a_forwarded_port_ends_at_the_pods_own_localhost(lab: RunningLab, tmp_path: Path) -> None:
    serve = [sys.executable, "-u", "-m", "http.server", "7100", "--bind", "127.0.0.1"]
    run_pod(lab, tmp_path, "inward", container(serve))
    kubectl(lab, "wait", "--for=condition=Ready", "pod/inward", "--timeout=15s")
    lab.eventually("the server", lambda: "Serving" in kubectl(lab, "logs", "inward"))
    with following(lab, "-n", "plain", "port-forward", "pod/inward", ":7100") as forward:
        port = forward.until(r"127.0.0.1:(\d+) ->").split("127.0.0.1:")[1].split()[0]
        seen = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/"], capture_output=True, check=True)
    assert b"Directory listing" in seen.stdout


def test_a_container_that_takes_too_much_memory_is_oom_killed(lab: RunningLab, tmp_path: Path) -> None:
    if said := kubectl(lab, "get", "nodes", "-o", NOT_ENFORCED):
        pytest.skip(said)
    greedy = [sys.executable, "-c", "x = b'x' * (300 << 20)"]
    limit = ", resources: {limits: {memory: 32Mi}}"
    run_pod(lab, tmp_path, "greedy", f"restartPolicy: Never, {container(greedy, limit)}")
    lab.eventually("its end", lambda: "OOMKilled" in state_of(lab, "greedy"))
    assert field(lab, "greedy", f"{LAST_END}.exitCode") == "137"


NOT_ENFORCED = 'jsonpath={.items[*].status.conditions[?(@.type=="LimitsNotEnforced")].message}'


@pytest.mark.skipif(os.geteuid() != 0, reason="only a lab of root has other users")
def test_a_container_runs_as_the_user_of_its_pod(lab: RunningLab, tmp_path: Path) -> None:
    context = "securityContext: {runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456}"
    volume = "volumes: [{name: v, emptyDir: {}}]"
    command = ["sh", "-c", "id -u; id -g; id -G; touch /v/mine; stat -c %g /v/mine; touch /etc/no || exit 9"]
    mount = ", volumeMounts: [{name: v, mountPath: /v}]"
    run_pod(lab, tmp_path, "user", f"restartPolicy: Never, {context}, {volume}, {container(command, mount)}")
    lab.eventually("its end", lambda: field(lab, "user", f"{LAST_END}.exitCode") == "9")
    assert kubectl(lab, "logs", "user").splitlines()[:4] == ["1234", "2345", "2345 3456", "3456"]


def test_what_a_container_writes_last_is_shown(lab: RunningLab, tmp_path: Path) -> None:
    command = ["sh", "-c", "echo out of ideas > /dev/termination-log; exit 3"]
    run_pod(lab, tmp_path, "words", f"restartPolicy: Never, {container(command)}")
    lab.eventually("the message", lambda: field(lab, "words", f"{LAST_END}.message") == "out of ideas\n")


def test_a_pod_ends_at_its_deadline(lab: RunningLab, tmp_path: Path) -> None:
    run_pod(lab, tmp_path, "late", f"activeDeadlineSeconds: 1, {container(['sleep', '600'])}")
    lab.eventually("its end", lambda: field(lab, "late", ".status.reason") == "DeadlineExceeded")
    lab.eventually("no process", lambda: field(lab, "late", f"{LAST_END}.exitCode") == "143")


def test_files_of_a_claim_outlive_the_pod_that_wrote_them(lab: RunningLab, tmp_path: Path) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: kept, namespace: plain}\n"
        "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
    )
    (tmp_path / "claim.yaml").write_text(claim)
    kubectl(lab, "apply", "-f", str(tmp_path / "claim.yaml"))
    kubectl(lab, "wait", "--for=jsonpath={.status.phase}=Bound", "pvc/kept", "--timeout=10s")
    volume = "restartPolicy: Never, volumes: [{name: v, persistentVolumeClaim: {claimName: kept}}]"
    mount = ", volumeMounts: [{name: v, mountPath: /data}]"
    for name, command in (("writer", "echo written > /data/file"), ("reader", "cat /data/file")):
        run_pod(lab, tmp_path, name, f"{volume}, {container(['sh', '-c', command], mount)}")
        lab.eventually(f"{name}'s end", lambda pod=name: "Completed" in state_of(lab, pod))
        if name == "writer":
            kubectl(lab, "delete", "pod", name)
    assert kubectl(lab, "logs", "reader") == "written\n"


def test_a_host_network_is_refused_with_what_to_do_instead(lab: RunningLab, tmp_path: Path) -> None:
    run_pod(lab, tmp_path, "wide", f"hostNetwork: true, {container(['sleep', '600'])}")
    lab.eventually(
        "the event",
        lambda: "reach the pod by its own address" in kubectl(lab, "events", "--for=pod/wide"),
    )
    assert "ContainerCreating" in state_of(lab, "wide")
