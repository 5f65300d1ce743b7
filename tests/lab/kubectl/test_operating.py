"""What who runs a cluster does with kubectl: nodes, access, a look around, and refusals that say why."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import KUBECTL, RunningLab
from tests.lab.kubectl.plain import following, kubectl, one_pod

pytestmark = pytest.mark.netns

NODE = "one-node"


@pytest.fixture
def uncordoned(lab: RunningLab) -> Iterator[None]:
    """The node takes pods again after the test, and echo is back."""
    yield
    kubectl(lab, "uncordon", NODE)
    kubectl(lab, "rollout", "status", "deployment/echo", "--timeout=20s")


def test_logs_of_a_time_of_a_selector_and_with_stamps(lab: RunningLab) -> None:
    side = ("-c", "side", "--tail=1")
    said = kubectl(lab, "logs", "-l", "app=echo", *side, "--prefix")
    assert re.fullmatch(r"\[pod/echo-[^/]+/side\] line \d+\n", said)
    lab.eventually("6 s of lines", lambda: int(kubectl(lab, "logs", "deploy/echo", *side).split()[1]) > 30)
    recent = kubectl(lab, "logs", "deploy/echo", "-c", "side", "--since=2s", "--timestamps").splitlines()
    assert 1 <= len(recent) <= 25  # five a second; the node notes the time of what is new every 2 s
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line \d+", recent[0])
    assert kubectl(lab, "logs", "deploy/echo", "-c", "side", "--limit-bytes=4") == "line"


@pytest.mark.usefixtures("uncordoned")
def test_drain_evicts_and_uncordon_lets_pods_back(lab: RunningLab) -> None:
    before = one_pod(lab)
    said = kubectl(lab, "drain", NODE, "--pod-selector=app=echo", "--delete-emptydir-data", "--timeout=20s")
    assert f"pod/{before} evicted" in said
    assert "Ready,SchedulingDisabled" in kubectl(lab, "get", "node", NODE, "--no-headers")
    assert "Pending" in kubectl(lab, "get", "pods", "-l", "app=echo", "--no-headers")


def test_taints_come_and_go(lab: RunningLab) -> None:
    kubectl(lab, "taint", "node", NODE, "reserved=yes:PreferNoSchedule")
    assert "already has" in kubectl(lab, "taint", "node", NODE, "reserved=yes:PreferNoSchedule", code=1)
    kubectl(lab, "taint", "node", NODE, "reserved-")
    assert kubectl(lab, "get", "node", NODE, "-o", "jsonpath={.spec.taints}") == ""


def test_who_one_is_and_may(lab: RunningLab) -> None:
    account = "--as=system:serviceaccount:plain:default"
    assert re.search(r"Username +kubernetes-admin\n", kubectl(lab, "auth", "whoami"))
    mine, its = (kubectl(lab, "auth", "can-i", "--list", *flags) for flags in ((), (account,)))
    assert re.search(r"^\*\.\* +\[\] +\[\] +\[\*\]", mine, re.MULTILINE)
    assert re.search(r"^selfsubjectreviews\.authentication\.k8s\.io .*\[create\]", its, re.MULTILINE)
    assert "*.*" not in its
    kubectl(lab, "create", "role", "reader", "--verb=get,list", "--resource=configmaps")
    kubectl(lab, "create", "rolebinding", "reader", "--role=reader", "--serviceaccount=plain:default")
    assert kubectl(lab, "auth", "can-i", "list", "configmaps", account) == "yes\n"
    kubectl(lab, "delete", "role,rolebinding", "reader")


def test_the_proxy_serves_the_api_without_credentials(lab: RunningLab) -> None:
    with following(lab, "proxy", "--port=0") as proxy:
        found = re.search(r"127\.0\.0\.1:(\d+)", proxy.until(r"Starting to serve on 127\.0\.0\.1:\d+"))
        assert found
        address = f"http://127.0.0.1:{found[1]}"
        with urllib.request.urlopen(f"{address}/api/v1/namespaces/plain/configmaps/settings") as answer:
            assert json.load(answer)["metadata"]["name"] == "settings"


def test_cluster_info_names_the_api_servers_address(lab: RunningLab) -> None:
    assert "Kubernetes control plane is running at https://127.0.0.1:" in kubectl(lab, "cluster-info")


def test_the_cluster_is_dumped_with_its_logs(lab: RunningLab, tmp_path: Path) -> None:
    kubectl(lab, "cluster-info", "dump", "--namespaces=plain", f"--output-directory={tmp_path}")
    pods = json.loads((tmp_path / "plain/pods.json").read_text())
    assert one_pod(lab) in [item["metadata"]["name"] for item in pods["items"]]
    assert "line 1\n" in (tmp_path / f"plain/{one_pod(lab)}/logs.txt").read_text()


def test_the_kubeconfig_is_one_that_kubectl_config_reads(lab: RunningLab) -> None:
    assert kubectl(lab, "config", "current-context") == "kubectl-one\n"
    assert kubectl(lab, "config", "get-contexts", "-o", "name") == "kubectl-one\n"


def test_events_are_listed_and_filtered(lab: RunningLab) -> None:
    pod = one_pod(lab)
    said = kubectl(lab, "events", f"--for=pod/{pod}", "--types=Normal")
    assert re.search(rf"Normal +Scheduled +Pod/{pod} +Successfully assigned plain/{pod} to {NODE}", said)
    assert "Scheduled" not in kubectl(lab, "events", f"--for=pod/{pod}", "--types=Warning")


def test_run_shows_a_pods_output_and_removes_it(lab: RunningLab) -> None:
    words = ("run", "once", "--rm", "-i", "--restart=Never", "--image=example.com/sh:1", "--quiet")
    said = kubectl(lab, *words, "--", "sleep 1; echo hello; exit 3", code=3)
    assert "hello\n" in said
    assert kubectl(lab, "get", "pod", "once", "--ignore-not-found") == ""


def test_run_hands_its_input_to_the_pod(lab: RunningLab) -> None:
    words = ["-n", "plain", "run", "fed", "--rm", "-i", "--restart=Never", "--image=example.com/sh:1"]
    done = subprocess.run(
        [str(KUBECTL), f"--kubeconfig={lab.dir.kubeconfig}", *words, "--", "sed s/over/under/"],
        input="over the wire\n",
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert "under the wire" in done.stdout


def test_the_cause_of_a_change_is_in_the_history(lab: RunningLab) -> None:
    kubectl(
        lab, "create", "deployment", "caused", "--image=multicluster.lab/apps", "--replicas=0", "--", "echo"
    )
    kubectl(lab, "set", "env", "deployment/caused", "A=b")
    kubectl(lab, "annotate", "deployment/caused", "kubernetes.io/change-cause=set A")
    lab.eventually(
        "the cause", lambda: "2         set A" in kubectl(lab, "rollout", "history", "deploy/caused")
    )
    assert re.search(r"A:\s+b\n", kubectl(lab, "rollout", "history", "deploy/caused", "--revision=2"))
    kubectl(lab, "rollout", "undo", "deploy/caused", "--to-revision=1")
    environment = "jsonpath={.spec.template.spec.containers[0].env}"
    assert kubectl(lab, "get", "deployment", "caused", "-o", environment) == ""
    kubectl(lab, "delete", "deployment", "caused")


# What a lab does not do


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("top", "pods"), "Metrics API not available"),
        (("top", "nodes"), "Metrics API not available"),
        (("debug", "deploy/echo"), "ephemeral containers are not supported"),
    ],
    ids=lambda words: "-".join(words) if isinstance(words, tuple) else "",
)
def test_what_is_not_served_is_refused_in_words(lab: RunningLab, words: tuple[str, ...], said: str) -> None:
    if words[0] == "debug":
        words = ("debug", f"pod/{one_pod(lab)}", "--image=example.com/sh:1")
    assert said in kubectl(lab, *words, code=1)
