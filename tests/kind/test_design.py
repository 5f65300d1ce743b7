"""From a topology to every command: what `lab plan --engine kind` prints and `lab up` runs. Pure."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.base.errors import TopologyError, UsageError
from lab.base.state import LabDir
from lab.engines.kind import cache, config, design, supply
from lab.engines.kind.acts import InNode, LimitNode, RunKind, StartNode
from lab.engines.kind.apps import AppsImage
from lab.engines.kind.cache import NAME, Cache
from lab.engines.kind.design import Present
from lab.engines.kind.images import Images, canonical, full_name, node_image, release_of
from lab.engines.kind.nodes import Node, Wiring, by_cluster
from lab.plan.addresses import LabPlan, addresses
from lab.topology.load import parse

GOLDEN = Path(__file__).parent / "commands.txt"
LAB = LabDir(Path("/labs/two"))
IMAGE = node_image("0.33.0", "1.36")
IMAGES = Images(
    IMAGE, AppsImage("multicluster.lab/apps:1234", ("build", "--tag=multicluster.lab/apps:1234", "lab"))
)
HERE = frozenset({canonical(IMAGE), IMAGES.apps.tag})
TOPOLOGY = """
name: two
engine: kind
kind:
  {kubernetes: "1.36", subnet: 172.30.0.0/16, cpus: 1.5, memory: 2Gi, kubeadm: ["kind: InitConfiguration"]}
clusters: {west: {}, east: {nodes: 2}, far: {network: other}}
links: [west <-> east, far -> west]
"""
SLOW = TOPOLOGY.replace("far -> west", "{from: far, to: west, delay: 20ms, rate: 5mbit}")
RATED = SLOW.replace("delay: 20ms, ", "")
WEST = Node("two-west-control-plane", "west", "control-plane", address="172.30.0.2", cpus=1.5, memory=2 << 30,
            pods=("10.20.0.0/16",))  # fmt: skip
EAST = Node("two-east-control-plane", "east", "control-plane", address="172.30.0.3", cpus=1.5, memory=2 << 30,
            pods=("10.21.0.0/24",))  # fmt: skip
EAST_2 = Node("two-east-worker", "east", "worker", address="172.30.0.4", cpus=1.5, memory=2 << 30,
              pods=("10.21.1.0/24",))  # fmt: skip
FAR = Node("two-far-control-plane", "far", "control-plane", address="172.30.0.5", cpus=1.5, memory=2 << 30,
           pods=("10.22.0.0/16",))  # fmt: skip
ALL = (WEST, EAST, EAST_2, FAR)


def plan(text: str = TOPOLOGY) -> LabPlan:
    return addresses(parse(text, "two.yaml"))


def there(nodes: tuple[Node, ...], **more: Any) -> Present:
    """A machine with everything but for what a test says."""
    cache = Cache(exists=True, runs=True, networks=frozenset({"multicluster-lab-two"}))
    return Present(network=True, nodes=nodes, images=HERE, cache=cache, **more)


def acts(present: Present, of: LabPlan | None = None) -> list[Any]:
    return list(design.creation(LAB, of or plan(), IMAGES, present).acts)


def test_the_commands_for_an_empty_machine_are_those_of_the_golden_file() -> None:
    nothing = Present()
    of = plan(SLOW)
    nodes = design.expected(of, {})
    load = supply.loading(LAB, IMAGES, Present(nodes=nodes))
    said = [
        *design.creation(LAB, of, IMAGES, nothing).acts,
        *design.wiring(of, nodes, {}),
        *supply.mirroring(of, Present(nodes=nodes[:1])),
        *load.acts,
    ]
    text = "".join(f"# {act.where}\n{act.line}\n" for act in said)
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_netem_is_tried_before_anything_is_made_where_links_need_it_and_have_it_not_yet() -> None:
    tried = [act.line.endswith("root netem") for act in acts(Present(images=HERE), plan(SLOW))]
    assert (tried[0], sum(tried)) == (True, 1)
    assert not any("netem" in act.line for act in acts(Present(images=HERE), plan(RATED)))


def test_a_node_that_comes_back_gets_what_links_ask_of_its_packets_and_counts_as_adrift_until_then() -> None:
    rated = plan(RATED)
    laid = [act for act in design.wiring(rated, ALL, {}) if act.argv[0] == "tc"]
    assert {act.node for act in laid} == {FAR.name, WEST.name}
    assert design.adrift(rated, by_cluster(ALL), {FAR.name: Wiring()}) == {
        "far": "two-far-control-plane does not do to packets what the links ask"
    }
    assert design.adrift(plan(), by_cluster(ALL), {FAR.name: Wiring()}) == {}
    assert design.adrift(plan(), by_cluster(ALL), {WEST.name: Wiring({"10.21.0.0/24": EAST.address})}) == {
        "west": "two-west-control-plane has no route to pods behind 172.30.0.4"
    }


def test_packets_to_a_cluster_that_is_not_there_yet_are_not_slowed_and_others_keep_their_class() -> None:
    rated = plan(RATED)
    part = replace(rated, clusters=rated.clusters[::2], flat_pairs=())  # `up --cluster west --cluster far`
    assert design.wiring(part, (FAR,), {}) == []
    made = [" ".join(act.argv) for act in design.wiring(part, (WEST, FAR), {})]
    assert [line for line in made if "tc class" in line] == [
        f"tc class add dev eth0 parent 7a1: classid 7a1:{number} htb rate 5000000bit" for number in (1, 3)
    ]


def test_clusters_that_are_right_are_left_alone() -> None:
    assert acts(there(ALL)) == []


def test_a_cluster_of_another_size_is_made_anew_and_no_other_is_touched() -> None:
    done = acts(there((WEST, EAST, FAR)))
    assert {act.where for act in done} == {"east"}
    assert [act.argv[0] for act in done if isinstance(act, RunKind)] == ["delete", "create"]


def test_a_cluster_of_other_addresses_is_made_anew() -> None:
    marks = {"west": config.mark(plan(), plan().cluster("west")), "far": "# plan of before"}
    done = acts(there(ALL, marks=marks))
    assert {act.where for act in done} == {"far"}


def test_a_cluster_that_left_the_topology_is_deleted() -> None:
    smaller = plan("{name: two, engine: kind, clusters: {west: {}, east: {nodes: 2}}}")
    done = acts(there(ALL), smaller)
    assert [(act.where, act.argv[:3]) for act in done] == [("far", ("delete", "cluster", "--name=two-far"))]


def test_a_node_that_ended_is_started_and_one_that_a_fault_holds_down_is_not() -> None:
    ended = Node(**{**vars(EAST_2), "state": "exited"})
    held = Node(**{**vars(WEST), "state": "stopped"})
    done = acts(there((held, EAST, ended, FAR)))
    assert done == [StartNode("east", "two-east-worker")]


def test_limits_are_set_on_nodes_that_have_others() -> None:
    free = Node(**{**vars(WEST), "cpus": 0.0, "memory": 1 << 30})
    assert acts(there((free, EAST, EAST_2, FAR))) == [LimitNode("west", free.name, 1.5, 2 << 30)]


def test_every_node_of_linked_clusters_gets_a_route_to_every_node_of_the_other() -> None:
    done = [act for act in design.wiring(plan(), ALL, {}) if act.argv[0] == "ip"]
    assert {(act.node, act.argv[3], act.argv[5]) for act in done} == {
        (WEST.name, "10.21.0.0/24", EAST.address),
        (WEST.name, "10.21.1.0/24", EAST_2.address),
        (EAST.name, "10.20.0.0/16", WEST.address),
        (EAST_2.name, "10.20.0.0/16", WEST.address),
    }


def test_wiring_that_is_right_needs_nothing_and_a_stale_route_goes() -> None:
    right = {
        WEST.name: Wiring({"10.21.0.0/24": EAST.address, "10.21.1.0/24": EAST_2.address},
                          kept=frozenset({"10.21.0.0/24", "10.21.1.0/24"})),
        EAST.name: Wiring({"10.20.0.0/16": WEST.address}, kept=frozenset({"10.20.0.0/16"})),
        EAST_2.name: Wiring({"10.20.0.0/16": WEST.address, "10.22.0.0/16": "172.30.0.5"},
                            kept=frozenset({"10.20.0.0/16"})),
        FAR.name: Wiring(),
    }  # fmt: skip
    assert design.wiring(plan(), ALL, right) == [
        InNode("east", EAST_2.name, ("ip", "route", "del", "10.22.0.0/16", "proto", "77"))
    ]


def test_a_node_with_another_address_is_routed_to_anew() -> None:
    moved = Node(**{**vars(WEST), "address": "172.30.0.9"})
    seen = {EAST.name: Wiring({"10.20.0.0/16": WEST.address}, kept=frozenset({"10.20.0.0/16"}))}
    done = [act for act in design.wiring(plan(), (moved, EAST, FAR), seen) if act.node == EAST.name]
    assert [act.argv[:6] for act in done] == [("ip", "route", "replace", "10.20.0.0/16", "via", "172.30.0.9")]


def test_the_configuration_has_the_plans_addresses_and_the_users_patches() -> None:
    document = yaml.safe_load(config.text(plan(), plan().cluster("east"), IMAGE))
    assert document["networking"] == {
        "apiServerAddress": "127.0.0.1",
        "podSubnet": "10.21.0.0/16",
        "serviceSubnet": "10.121.0.0/16",
    }
    assert [(node["role"], node["image"]) for node in document["nodes"]] == [
        ("control-plane", IMAGE),
        ("worker", IMAGE),
    ]
    assert "two-east-control-plane" in document["kubeadmConfigPatches"][0]
    assert document["kubeadmConfigPatches"][1] == "kind: InitConfiguration"


def test_node_images_go_with_the_kind_that_is_installed() -> None:
    assert release_of("kind v0.33.0 go1.26.8 linux/amd64") == "0.33.0"
    assert node_image("0.33.0").startswith("kindest/node:v1.37.0@sha256:")
    assert node_image("0.99.0") == ""
    assert node_image("0.99.0", "1.30", "my/node:1") == "my/node:1"
    with pytest.raises(UsageError, match=r"no node image for Kubernetes 1.20 with kind 0.33.0.*1.37, 1.36"):
        node_image("0.33.0", "1.20")


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("kindest/node:v1.37.0@sha256:ab", "kindest/node@sha256:ab"),
        ("localhost:5000/node:1", "localhost:5000/node:1"),
        ("localhost:5000/node", "localhost:5000/node:latest"),
        ("busybox", "busybox:latest"),
    ],
)
def test_an_image_is_looked_for_under_the_name_that_docker_lists(written: str, listed: str) -> None:
    assert canonical(written) == listed


def test_names_that_no_host_could_have_are_refused_with_the_topology() -> None:
    text = f"{{name: {'a' * 30}, engine: kind, clusters: {{{'b' * 30}: {{}}}}}}"
    with pytest.raises(TopologyError, match="too long for the name of a kind cluster"):
        plan(text)


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("buoyantio/bb:v0.0.6", "docker.io/buoyantio/bb:v0.0.6"),
        ("cr.l5d.io/linkerd/proxy:v2", "cr.l5d.io/linkerd/proxy:v2"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("k8s.io/a@sha256:ab", "k8s.io/a@sha256:ab"),
    ],
)
def test_a_node_lists_an_image_with_registry_and_tag(written: str, listed: str) -> None:
    assert full_name(written) == listed


def test_images_are_saved_once_and_loaded_into_the_clusters_that_lack_them() -> None:
    full = {IMAGES.apps.tag: "sha256:1", "multicluster.lab/apps:dev": "sha256:1"}
    loaded = {WEST.name: full, EAST.name: full}
    paused = Node(**{**vars(FAR), "state": "paused"})
    done = supply.loading(LAB, IMAGES, Present(nodes=(WEST, EAST, EAST_2, paused), loaded=loaded))
    assert [act.line for act in done.acts] == [
        "docker tag multicluster.lab/apps:1234 multicluster.lab/apps:dev",
        "docker save --output=/labs/two/images.tar multicluster.lab/apps:1234 multicluster.lab/apps:dev",
        "KIND_EXPERIMENTAL_DOCKER_NETWORK=multicluster-lab-two kind load image-archive /labs/two/images.tar "
        "--name=two-east",
        "rm /labs/two/images.tar",
    ]


def test_a_name_in_manifests_that_means_another_build_is_loaded_anew() -> None:
    loaded = {WEST.name: {IMAGES.apps.tag: "sha256:1", "multicluster.lab/apps:dev": "sha256:2"}}
    done = supply.loading(LAB, IMAGES, Present(nodes=(WEST,), loaded=loaded))
    assert list(done.clusters) == ["west"]


def test_the_cache_is_made_once_and_joins_the_network_of_every_lab() -> None:
    assert [argv[0] for argv in cache.serve("one", Cache())] == ["run"]
    others = frozenset({"one"})
    assert cache.serve("two", Cache(True, False, others)) == [
        ("start", NAME),
        ("network", "connect", "two", NAME),
    ]
    assert cache.serve("one", Cache(True, True, others)) == []


def test_the_cache_leaves_with_a_lab_and_goes_with_the_last_one() -> None:
    both = Cache(True, True, frozenset({"one", "two"}))
    assert cache.leave("one", both) == [("network", "disconnect", "one", NAME)]
    assert cache.leave("two", Cache(True, True, frozenset({"two"}))) == [("rm", "--force", NAME)]
    assert cache.leave("three", both) == []


def test_a_topology_may_do_without_the_cache() -> None:
    off = plan(TOPOLOGY.replace("cpus: 1.5", "cache: false, cpus: 1.5"))
    made = design.creation(LAB, off, IMAGES, Present())
    assert not any(NAME in act.line for act in made.acts)
    assert supply.mirroring(off, there(ALL)) == []
