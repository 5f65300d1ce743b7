"""What this machine must have before clusters are made, and what kubectl needs of the files. No Docker."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab.base.errors import CommandError, EngineUnavailable, LabError, UsageError
from lab.base.state import LabDir, make_private
from lab.engines.kind import converge, kubeconfig, preflight
from lab.engines.kind.daemon import Daemon, Network
from lab.engines.kind.engine import KindEngine
from lab.engines.kind.explain import explained
from lab.engines.kind.images import NEWEST, node_image
from lab.kube.kubeconfig import server_of
from lab.plan.addresses import LabPlan, addresses
from lab.topology.load import parse

GIB = 1 << 30
ADMIN = {
    "clusters": [{"cluster": {"server": "https://x", "certificate-authority-data": "Q0E="}}],
    "users": [{"user": {"client-key-data": "S0VZ"}}],
}


@pytest.fixture
def lab(tmp_path: Path) -> LabDir:
    return LabDir(make_private(tmp_path / "two"))


def plan(links: str = "[]") -> LabPlan:
    return addresses(
        parse(f"{{name: two, engine: kind, clusters: {{west: {{}}, east: {{}}}}, links: {links}}}", "t")
    )


@pytest.mark.parametrize(
    ("cpus", "memory", "wanted"), [(1, 64 * GIB, 1), (8, 64 * GIB, 4), (8, 5 * GIB, 2), (64, GIB, 1)]
)
def test_as_many_clusters_are_made_at_once_as_processors_and_memory_allow(
    cpus: int, memory: int, wanted: int
) -> None:
    assert converge.side_by_side(cpus, memory) == wanted


async def test_without_docker_doctor_says_what_to_do_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    found = {one.need: one for one in await preflight.preflight()}
    assert not found["docker"].ok
    assert "DOCKER_HOST" in found["docker"].remedy
    assert {"kind", "memory", "fs.inotify.max_user_instances"} <= found.keys()
    with pytest.raises(EngineUnavailable, match="Docker does not answer"):
        await Daemon.connect()


@pytest.mark.filterwarnings("error")
async def test_where_no_engine_answers_no_socket_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    with pytest.raises(EngineUnavailable, match=f"unix://{tmp_path}/none: No such file"):
        await Daemon.connect()
    gc.collect()


async def test_without_docker_the_commands_are_those_for_an_empty_machine(
    lab: LabDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    lines = await KindEngine().commands(lab, plan())
    assert [line.split()[:3] for where, line in lines if where == "lab"][:2] == [
        ["docker", "pull", node_image(NEWEST)],
        ["docker", "network", "create"],
    ]
    assert [where for where, line in lines if " kind create cluster " in line] == ["west", "east"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Network("1", "bridge", ("172.16.0.0/12",)), "bridge has 172.16.0.0/12, which overlaps"),
        (Network("1", "x", ("172.28.0.0/16",), "one", "/h/one"), "x of lab one in /h/one has"),
        (Network("1", "multicluster-lab-two", ()), "already has a network multicluster-lab-two"),
    ],
)
def test_a_network_in_the_way_is_named(lab: LabDir, other: Network, words: str) -> None:
    with pytest.raises(LabError, match=words):
        converge.refuse_conflicts([other], lab, plan())


def test_a_lab_that_wants_other_addresses_than_its_network_has_is_told_to_go_down_first(lab: LabDir) -> None:
    own = Network("1", "multicluster-lab-two", ("172.29.0.0/16",), "two", str(lab.root))
    with pytest.raises(LabError, match=r"172.29.0.0/16, and now 172.28.0.0/16 is wanted") as refused:
        converge.refuse_conflicts([own], lab, plan())
    assert not isinstance(refused.value, UsageError), "or its folder would go, and `down` find nothing"


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own with few ports needs root")
def test_ports_that_this_machine_does_not_have_are_missing_with_a_remedy() -> None:
    few = "echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range"
    asked = (
        "from lab.engines.kind.preflight import _ports; print(_ports(2).ok, _ports(5).ok, _ports(5).remedy)"
    )
    argv = ["unshare", "--net", "sh", "-c", f"{few} && exec {sys.executable} -c '{asked}'"]
    said = subprocess.run(argv, text=True, capture_output=True, check=True).stdout
    assert said.startswith("True False widen net.ipv4.ip_local_port_range")


def test_the_labs_own_network_and_ipv6_are_not_in_the_way(lab: LabDir) -> None:
    own = Network("1", "multicluster-lab-two", ("172.28.0.0/16",), "two", str(lab.root))
    converge.refuse_conflicts([own, Network("2", "kind", ("fc00:f853::/64",))], lab, plan())


def test_a_cluster_that_is_down_keeps_its_entries_and_one_that_is_gone_loses_them(lab: LabDir) -> None:
    servers = {"west": ("https://127.0.0.1:1", "https://172.28.0.2:6443"), "east": ("https://h", "https://n")}
    kubeconfig.write(lab, {"west": ADMIN, "east": ADMIN}, servers)
    kubeconfig.write(lab, {}, {"west": ("https://127.0.0.1:1", "https://:6443")})
    assert server_of(lab.inside_kubeconfig, "two-west") == ("https://172.28.0.2:6443", "CA")
    assert [one["name"] for one in yaml.safe_load(lab.kubeconfig.read_text())["contexts"]] == ["two-west"]
    with pytest.raises(LabError, match="has no context two-east"):
        server_of(lab.inside_kubeconfig, "two-east")


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("node(s) already exist for a cluster with the name", "kind delete"),
        ("failed to create fsnotify watcher: too many open files", "sysctl"),
        ("ERROR: failed to init node with kubeadm: exit status 1", "--retain"),
        ("something nobody has seen", "-v 3"),
    ],
)
def test_kinds_failures_come_with_its_words_the_command_and_a_remedy(words: str, remedy: str) -> None:
    error = explained(CommandError(("kind",), 1, words), "kind create cluster")
    assert words in str(error)
    assert "kind create cluster" in str(error)
    assert remedy in error.remedy
