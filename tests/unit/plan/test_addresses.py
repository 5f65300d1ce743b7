"""Every address of a lab follows from its topology."""

import pytest

from lab.plan.addresses import ClusterPlan, addresses
from lab.topology.load import load, parse
from lab.topology.ranges import MAX_CLUSTERS


def test_a_cluster_gets_its_addresses_by_position() -> None:
    assert addresses(load("two-clusters")).cluster("east") == ClusterPlan(
        name="east",
        index=1,
        node_name="east-node",
        node_ip="172.28.0.11",
        pod_cidr="10.21.0.0/16",
        service_cidr="10.121.0.0/16",
        dns_ip="10.121.0.10",
        api_service_ip="10.121.0.1",
        cluster_domain="cluster.local",
        trust_domain="cluster.local",
        network="default",
    )


def test_written_ranges_replace_the_positional_ones() -> None:
    plan = addresses(parse("name: x\nclusters: {a: {pods: 10.9.0.0/16, services: 10.8.0.0/24}}", "test"))
    assert (plan.clusters[0].pod_cidr, plan.clusters[0].dns_ip) == ("10.9.0.0/16", "10.8.0.10")


@pytest.mark.parametrize(
    ("topology", "pairs"),
    [
        ("two-clusters", (("west", "east"),)),
        ("gateway", ()),
        ("three-clusters", (("west", "east"),)),
        ("overlapping-cidr", ()),
    ],
)
def test_only_clusters_linked_flat_reach_each_others_pods(
    topology: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    assert addresses(load(topology)).flat_pairs == pairs


SLOW = "delay: 50ms, loss: 1%"


@pytest.mark.parametrize(
    ("links", "delays"),
    [
        ("[a <-> b]", {}),
        (f"[{{from: a, to: b, {SLOW}}}]", {("a", "b"): 0.05, ("b", "a"): 0.05}),
        (f"[{{from: a, to: b, both: true, {SLOW}}}]", {("a", "b"): 0.05, ("b", "a"): 0.05}),
        (f"[{{from: a, to: b, {SLOW}}}, b -> a]", {("a", "b"): 0.05, ("b", "a"): 0.05}),
        (
            f"[{{from: a, to: b, {SLOW}}}, {{from: b, to: a, delay: 1ms}}]",
            {("a", "b"): 0.05, ("b", "a"): 0.001},
        ),
    ],
    ids=["plain", "one link", "both ways", "with a plain link back", "with a link back of its own"],
)
def test_a_links_settings_hold_both_ways_unless_the_link_back_has_its_own(
    links: str, delays: dict[tuple[str, str], float]
) -> None:
    plan = addresses(parse(f"name: x\nclusters: {{a: {{}}, b: {{}}}}\nlinks: {links}", "test"))
    assert {pair: wan.delay for pair, wan in plan.wans.items()} == delays


def test_the_largest_lab_has_no_address_twice() -> None:
    clusters = "".join(f"  c{number}:\n" for number in range(MAX_CLUSTERS))
    plan = addresses(parse(f"name: x\nclusters:\n{clusters}", "test"))
    given = [
        text
        for one in plan.clusters
        for text in (one.node_ip, one.pod_cidr, one.service_cidr, one.dns_ip, one.api_service_ip)
    ]
    assert len(given) == len(set(given)) == 5 * MAX_CLUSTERS


def test_a_cluster_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        addresses(load("flat")).cluster("north")
