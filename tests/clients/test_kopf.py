"""An operator written with kopf: widgets.py under `kopf run`, its widgets made with kubectl."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.clients import manifests
from tests.lab.conftest import RunningLab

pytestmark = [pytest.mark.netns, pytest.mark.slow]

OPERATOR = Path(__file__).parent / "widgets.py"
WIDGET = {
    "apiVersion": "clients.example.com/v1",
    "kind": "Widget",
    "metadata": {"name": "w"},
    "spec": {"size": 2},
}
Running = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def kubectl(lab: RunningLab, space: str, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """kubectl in the test's namespace, where widgets are known."""
    definition = tmp_path / "crd.json"
    definition.write_text(json.dumps(manifests.crd("widgets", "Widget")))
    lab.kubectl("one", "apply", "-f", str(definition))
    lab.kubectl("one", "wait", "-f", str(definition), "--for=condition=Established", "--timeout=10s")
    (tmp_path / "widget.json").write_text(json.dumps(WIDGET))
    yield lambda *words: lab.kubectl("one", "-n", space, *words)
    lab.kubectl("one", "delete", "-f", str(definition), "--timeout=20s")


@pytest.fixture
def operator(kubeconfig: Path, space: str, tmp_path: Path) -> Running:
    @contextmanager
    def running() -> Iterator[None]:
        words = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", space, str(OPERATOR)]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                words, env={**os.environ, "KUBECONFIG": str(kubeconfig)}, stdout=log, stderr=log
            )
        try:
            yield
        except BaseException:
            print((tmp_path / "log").read_text()[-8000:])  # noqa: T201 - pytest shows it with the failure
            raise
        finally:
            process.terminate()
            assert process.wait(20) == 0

    return running


def test_an_operator_makes_changes_and_cleans_up(
    lab: RunningLab, kubectl: Callable[..., str], operator: Running, tmp_path: Path
) -> None:
    def until(path: str, value: str) -> None:
        kubectl("wait", "widget/w", f"--for=jsonpath={{.{path}}}={value}", "--timeout=20s")

    with operator():
        kubectl("apply", "-f", str(tmp_path / "widget.json"))
        until("status.make.tries", "2")
        kubectl("wait", "--for=create", "configmap/w-attended", "--timeout=20s")
        ticks = ("get", "widget", "w", "-o", "jsonpath={.status.ticks}")
        lab.eventually("two ticks", lambda: int(kubectl(*ticks) or 0) >= 2)
        found = json.loads(kubectl("get", "widget", "w", "-o", "json"))
        assert found["metadata"]["finalizers"] == ["clients.example.com/widgets"]
        assert kubectl("get", "configmap", "w", "-o", "jsonpath={.data.size}") == "2"
        kubectl("patch", "widget", "w", "--type=merge", "-p", '{"spec": {"size": 7}}')
        until("status.resized", "2 to 7")
        assert kubectl("get", "configmap", "w", "-o", "jsonpath={.data.size}") == "7"
        lab.eventually("its event", lambda: "made w" in kubectl("events", "--for", "widget/w"))
        kubectl("delete", "widget", "w", "--timeout=20s")
        kubectl("wait", "--for=delete", "configmap/w-attended", "--timeout=20s")
    assert kubectl("get", "configmap", "w-cleaned", "-o", "name") == "configmap/w-cleaned\n"


def test_an_operator_catches_up_with_what_it_missed(
    kubectl: Callable[..., str], operator: Running, tmp_path: Path
) -> None:
    with operator():
        kubectl("apply", "-f", str(tmp_path / "widget.json"))
        kubectl("wait", "widget/w", "--for=jsonpath={.status.make.tries}=2", "--timeout=20s")
    kubectl("patch", "widget", "w", "--type=merge", "-p", '{"spec": {"size": 5}}')
    kubectl("delete", "widget", "w", "--wait=false")
    with operator():
        kubectl("wait", "--for=delete", "widget/w", "--timeout=20s")
    assert kubectl("get", "configmap", "w-cleaned", "-o", "name") == "configmap/w-cleaned\n"


def test_what_a_custom_object_owns_goes_with_it(kubectl: Callable[..., str], tmp_path: Path) -> None:
    kubectl("apply", "-f", str(tmp_path / "widget.json"))
    uid = kubectl("get", "widget", "w", "-o", "jsonpath={.metadata.uid}")
    owner = {"apiVersion": WIDGET["apiVersion"], "kind": "Widget", "name": "w", "uid": uid}
    kubectl("create", "configmap", "owned")
    owned = json.dumps({"metadata": {"ownerReferences": [owner]}})
    kubectl("patch", "configmap", "owned", "--type=merge", "-p", owned)
    kubectl("delete", "widget", "w", "--timeout=10s")
    kubectl("wait", "--for=delete", "configmap/owned", "--timeout=10s")
