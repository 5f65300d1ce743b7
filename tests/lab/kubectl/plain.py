"""One cluster with namespaces plain and meshed, and kubectl as its user types it."""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import KUBECTL, Cli, RunningLab, bring_up

TOPOLOGY = """
name: kubectl
clusters:
  one: {}
images:
  "example.com/sh:*": ["/bin/sh", "-c"]
"""
SHELL = "trap 'exit 0' TERM; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2 & wait $!; done"
PLAIN = """
apiVersion: v1
kind: Namespace
metadata: {name: plain}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: plain}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: plain}
stringData: {password: s3cret}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: plain}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      initContainers:
        - name: first
          image: example.com/sh:1
          args: ["echo made by init > /shared/file"]
          volumeMounts: [{name: shared, mountPath: /shared}]
      containers:
        - name: echo
          image: multicluster.lab/apps
          args: [echo]
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
            - {name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}
          envFrom: [{configMapRef: {name: settings}}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          livenessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        - name: side
          image: example.com/sh:1
          args: ["%s"]
          volumeMounts:
            - {name: shared, mountPath: /shared}
            - {name: settings, mountPath: /etc/settings}
            - {name: keys, mountPath: /etc/keys}
            - {name: token, mountPath: /etc/token}
      volumes:
        - {name: shared, emptyDir: {}}
        - {name: settings, configMap: {name: settings}}
        - {name: keys, secret: {secretName: keys}}
        - name: token
          projected: {sources: [{serviceAccountToken: {path: token, audience: me, expirationSeconds: 3600}}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: plain}
spec:
  selector: {app: echo}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: plain}
spec:
  clusterIP: None
  selector: {app: echo}
  ports: [{name: http, port: 8080}]
"""
MESHED = """
apiVersion: v1
kind: Namespace
metadata: {name: meshed, annotations: {linkerd.io/inject: enabled}}
---
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: meshed, labels: {app: caller}}
spec: {containers: [{name: caller, image: multicluster.lab/apps, args: [echo]}]}
---
apiVersion: v1
kind: Service
metadata: {name: caller, namespace: meshed}
spec: {selector: {app: caller}, ports: [{port: 80, targetPort: 8080}]}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: plain}
spec: {terminationGracePeriodSeconds: 1, %s}
"""


class Following:
    """Output of a kubectl that goes on, read until it says what is expected."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process, self._fd, self._seen = process, fd, ""

    def until(self, pattern: str, within: float = 10) -> str:
        deadline = time.monotonic() + within
        while not re.search(pattern, self._seen):
            ready, _, _ = select.select([self._fd], [], [], max(deadline - time.monotonic(), 0))
            data = os.read(self._fd, 65536) if ready else b""
            if not data:
                pytest.fail(f"{pattern!r} did not come; seen: {self._seen!r}")
            self._seen += data.decode()
        return self._seen


@contextmanager
def following(lab: RunningLab, *words: str, stdin: int = subprocess.DEVNULL) -> Iterator[Following]:
    """`kubectl words…` in the background; killed at the end of the block."""
    argv = [str(KUBECTL), f"--kubeconfig={lab.dir.kubeconfig}", f"--context={lab.name}-one", *words]
    process = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
    assert process.stdout is not None
    try:
        yield Following(process, process.stdout.fileno())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def bring_up_plain(cli: Cli, folder: Path) -> Iterator[RunningLab]:
    """The lab with its manifests applied and namespace plain ready."""
    (folder / "lab.yaml").write_text(TOPOLOGY)
    (folder / "meshed.yaml").write_text(MESHED)
    (folder / "plain.yaml").write_text(PLAIN % SHELL)
    for running in bring_up(cli, str(folder / "lab.yaml"), "kubectl"):
        running.kubectl("one", "apply", "-f", str(folder / "plain.yaml"), "-f", str(folder / "meshed.yaml"))
        running.kubectl("one", "rollout", "status", "-n", "plain", "deploy/echo", "--timeout=20s")
        yield running


def kubectl(lab: RunningLab, *words: str, code: int | None = 0) -> str:
    """Run in namespace plain unless the words name another."""
    return lab.kubectl("one", "-n", "plain", *words, code=code)


def run_pod(lab: RunningLab, tmp_path: Path, name: str, spec: str) -> None:
    (tmp_path / "pod.yaml").write_text(POD % (name, spec))
    kubectl(lab, "apply", "-f", str(tmp_path / "pod.yaml"))


def in_echo(lab: RunningLab, command: str, container: str = "echo") -> str:
    return kubectl(lab, "exec", "deploy/echo", "-c", container, "--", "sh", "-c", command)


def one_pod(lab: RunningLab) -> str:
    return kubectl(lab, "get", "pods", "-l", "app=echo", "-o", "jsonpath={.items[0].metadata.name}")


def state_of(lab: RunningLab, pod: str) -> str:
    return kubectl(lab, "get", "pod", pod, "--no-headers")
