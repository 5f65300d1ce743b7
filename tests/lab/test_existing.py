"""A lab as a guest in clusters that exist already: it brings everything along, and takes only that away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.lab.conftest import ROOT, Cli, RunningLab, bring_up
from tests.lab.hosts import Host

pytestmark = pytest.mark.netns
ECHO = [{"app": "echo"}]
WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: mine, namespace: default}
"""
TRAFFIC = [{"from": "west", "to": "http://echo.echo", "rate": "20/s"}]


@pytest.fixture(scope="module")
def host(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    file = folder / "host.yaml"
    file.write_text(yaml.safe_dump({"name": "host", "mesh": "none", "clusters": {"west": {}, "east": {}}}))
    for lab in bring_up(cli, str(file), "host"):
        yield Host(lab, folder)


@contextmanager
def guest(host: Host, name: str, **topology: Any) -> Iterator[RunningLab]:
    """A lab in the host's clusters, gone afterwards whatever became of it."""
    try:
        host.cli.run("up", host.topology(name, **topology))
        yield RunningLab(host.cli, name)
    finally:
        host.cli.run("down", "--lab", name, "--purge", code=None)


def refusal(host: Host, name: str, *flags: str) -> str:
    """What `up` says when it refuses."""
    done = host.cli.run("up", str(host.folder / f"{name}.yaml"), *flags, code=None)
    assert done.returncode in (2, 4), done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.slow
def test_a_guest_brings_all_it_needs_and_takes_all_of_it_away(host: Host) -> None:
    before = {cluster: host.census(cluster) for cluster in ("west", "east")}
    file = host.topology("visit", ("west", "east"), apps=ECHO, traffic=TRAFFIC)
    planned = {
        f"{row['target']} {row['object']}" for row in host.cli.json("plan", file) if row["verb"] == "create"
    }
    assert {cluster: host.census(cluster) for cluster in before} == before, "planning changed something"
    host.cli.run("up", file)
    lab = RunningLab(host.cli, "visit")
    made = {
        f"{cluster} {one}"
        for cluster in before
        for one in host.census(cluster).keys() - before[cluster].keys()
        if "kube-root-ca.crt" not in one and not one.endswith("/default")
    }
    assert made == planned
    assert lab.traffic("west", "echo")["success"] == 1
    assert "nothing to do" in host.cli.run("plan", file).stdout
    lab.run("down")
    lab.run("down", "--purge")
    assert {cluster: host.census(cluster) for cluster in before} == before


@pytest.mark.slow
def test_what_others_have_and_what_they_took_over_stays(host: Host) -> None:
    host.kubectl("create", "namespace", "echo")
    host.kubectl("create", "configmap", "mine", "-n", "echo", "--from-literal=a=b")
    with guest(host, "careful", apps=[{"app": "echo"}, {"app": "shop"}]) as lab:
        host.kubectl("label", "deployment", "stock", "-n", "shop", "multicluster.lab/claim-")
        host.kubectl("delete", "service", "stock", "-n", "shop")
        host.kubectl("create", "service", "clusterip", "stock", "--tcp=80", "-n", "shop")
        copied = yaml.safe_load(host.kubectl("get", "service", "front", "-n", "shop", "-o", "yaml"))
        copied["metadata"] = {"name": "copy", "namespace": "echo", "labels": copied["metadata"]["labels"]}
        copied["spec"] = {"ports": copied["spec"]["ports"]}
        host.apply(copied)
        done = lab.run("down")
        left = host.census("west")
    assert "Namespace shop stays" in done.stderr
    for one in ("Namespace echo", "ConfigMap echo/mine", "Service echo/copy", "Namespace shop"):
        assert one in left
    assert {"Deployment shop/stock", "Service shop/stock"} <= left.keys()
    assert not {"Deployment echo/echo", "Deployment shop/front", "Service shop/front"} & left.keys()
    host.kubectl("delete", "namespace", "echo", "shop")


@pytest.mark.slow
def test_a_definition_stays_while_others_have_objects_of_it(host: Host) -> None:
    with guest(host, "defining", manifests=[WIDGETS]) as lab:
        host.apply(
            {
                "apiVersion": "example.com/v1",
                "kind": "Widget",
                "metadata": {"name": "x", "namespace": "default"},
            }
        )
        done = lab.run("down")
        left = host.census("west")
    assert "CustomResourceDefinition widgets.example.com stays" in done.stderr
    assert {"CustomResourceDefinition widgets.example.com", "Widget default/x"} <= left.keys()
    assert "Widget default/mine" not in left
    host.kubectl("delete", "crd", "widgets.example.com")


@pytest.mark.slow
@pytest.mark.parametrize("after", ["prepare (", "deploy app ("])
def test_a_killed_up_can_be_taken_down_and_gone_on_with(host: Host, after: str) -> None:
    before = host.census("west")
    file = host.topology("killed", apps=ECHO)
    for verb in ("down", "up"):
        running = host.cli.start("up", file)
        assert running.stderr is not None
        for line in running.stderr:
            if after in line:
                break
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=10)
        host.cli.run(verb, *(["--lab", "killed"] if verb == "down" else [file]), code=None)
        if verb == "down":
            assert host.census("west") == before
    assert host.cli.json("status", "--lab", "killed")["state"] == "ready"
    host.cli.run("down", "--lab", "killed", "--purge")
    assert host.census("west") == before


@pytest.mark.slow
def test_faults_of_workloads_work_and_those_of_nodes_are_refused(host: Host) -> None:
    host.kubectl("create", "deployment", "theirs", "-n", "default", "--image=multicluster.lab/apps:dev")
    with guest(host, "broken", apps=ECHO, traffic=TRAFFIC) as lab:
        lab.run("fault.scale", "west/echo/echo")
        lab.eventually("callers feel it", lambda: lab.traffic("west", "echo")["success"] < 1)
        lab.run("fault.heal", "--all")
        lab.run("fault.kill", "west/echo/echo")
        lab.eventually("echo is back", lab.healthy)
        for verb in ("fault.pause", "fault.api", "fault.node"):
            said = lab.run(verb, "west", code=2).stderr
            assert "has no access to nodes, networks and API servers" in said
        said = lab.run("fault.scale", "west/default/theirs", code=2).stderr
        assert "default/theirs" in said
        assert "was not made by this lab" in said
        assert lab.cli.json("fault.list", "--lab", lab.name) == []
    host.kubectl("delete", "deployment", "theirs", "-n", "default")


@pytest.mark.slow
def test_clusters_that_look_like_production_need_consent(host: Host) -> None:
    def call_it_live(document: Any) -> None:
        document["contexts"][0]["name"] = "shop-live"

    host.topology("risky", apps=[])
    host.edit("risky", "west", call_it_live)
    file = host.folder / "risky.yaml"
    document = yaml.safe_load(file.read_text())
    document["clusters"]["west"]["context"] = "shop-live"
    file.write_text(yaml.safe_dump(document))
    assert 'its name "shop-live" looks like production' in refusal(host, "risky")
    assert "needs --yes" in host.cli.run("plan", str(file)).stdout
    host.cli.run("up", str(file), "--yes")
    host.cli.run("up", str(file))
    host.cli.run("down", "--lab", "risky", "--purge")


def test_a_refusal_says_what_is_the_matter_with_the_cluster(host: Host) -> None:
    def expired(document: Any) -> None:
        document["users"][0]["user"] = {"token": "old"}

    def away(document: Any) -> None:
        document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"

    def forged(document: Any) -> None:
        document["clusters"][0]["cluster"]["certificate-authority-data"] = host.other_authority()

    def renamed(document: Any) -> None:
        document["contexts"][0]["name"] = "wets"

    expected = {
        expired: "the credentials; they may have expired",
        away: "is unreachable",
        forged: "is of another authority",
        renamed: 'no context "west"',
    }
    before = host.census("west")
    for change, words in expected.items():
        host.topology("refused")
        host.edit("refused", "west", change)
        assert words in refusal(host, "refused")
    assert host.census("west") == before


def test_missing_permissions_are_listed_before_anything_is_made(host: Host) -> None:
    host.kubectl("create", "serviceaccount", "reader", "-n", "default")
    host.kubectl(
        "create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:reader"
    )
    token = host.kubectl("create", "token", "reader", "-n", "default").strip()
    host.topology("reader")
    host.edit("reader", "west", lambda document: document["users"][0].update(user={"token": token}))
    said = refusal(host, "reader")
    assert "your user may not" in said
    assert "create namespaces" in said
    assert "list pods" not in said
    host.kubectl("delete", "clusterrolebinding/reader", "serviceaccount/reader", "-n", "default")


@pytest.mark.slow
def test_two_labs_cannot_use_one_cluster(host: Host) -> None:
    with guest(host, "first"):
        host.topology("second")
        assert "lab first of" in refusal(host, "second")


@pytest.fixture(scope="module")
def meshed(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Two linked clusters with a mesh of their own."""
    folder = tmp_path_factory.mktemp("meshed")
    file = folder / "meshed.yaml"
    document = {"name": "meshed", "clusters": {"west": {}, "east": {}}, "links": ["west <-> east"]}
    file.write_text(yaml.safe_dump(document))
    for lab in bring_up(cli, str(file), "meshed"):
        yield Host(lab, folder)


@pytest.mark.slow
def test_a_scenario_gives_the_same_verdict_in_clusters_whose_mesh_somebody_else_has_linked(
    meshed: Host,
) -> None:
    before = meshed.census("west"), meshed.census("east")
    scenario = yaml.safe_load((ROOT / "topologies/scenarios/failover-flat.yaml").read_text())
    parts = {key: scenario[key] for key in ("links", "apps", "traffic", "scenario")}
    file = meshed.topology("failover", ("west", "east"), mesh="user", **parts)
    verdict = meshed.cli.json("run", file)
    assert verdict["verdict"] == "held", verdict
    assert (meshed.census("west"), meshed.census("east")) == before


@pytest.mark.slow
def test_a_mesh_that_is_there_can_be_asked_for_faults_and_is_not_broken_itself(meshed: Host) -> None:
    said = meshed.cli.run("plan", meshed.topology("unmeshed", mesh="lab")).stdout
    assert "refused: namespace linkerd is there, and the lab did not make it" in " ".join(said.split())
    with guest(meshed, "used", mesh="user", apps=ECHO, traffic=TRAFFIC) as lab:
        caller = "loadgen.traffic.serviceaccount.identity.linkerd.cluster.local"
        assert lab.traffic("west", "echo")["identitySeen"] == [caller]
        lab.run("fault.http", "west/echo/echo", "--status", "503")
        lab.eventually("calls fail", lambda: lab.traffic("west", "echo")["success"] < 0.9)
        lab.run("fault.heal", "--all")
        lab.eventually("calls succeed", lambda: lab.traffic("west", "echo")["success"] == 1)
        assert "was not made by this lab" in lab.run("fault.control-plane", "west", code=2).stderr
        assert "not the lab's alone" in lab.run("fault.clock", "west", "--skew", "25h", code=2).stderr
