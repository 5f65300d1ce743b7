"""The commands that slow packets in a node, and what is read back."""

import json

from lab.engines.kind import shaping
from lab.engines.kind.shaping import Layer, Way

WAYS = {"east": Way(2, ("10.21.0.0/16", "172.31.7.3")), "far": Way(10, ("10.22.0.0/16",))}
LAYERS = (
    Layer("east", (("delay", 0.05), ("loss", 0.01))),
    Layer("far", (("rate", 1e6),)),
    Layer("east", (("delay", 0.08), ("jitter", 0.005))),
)


def rule(chain: str, comment: str = "", network: str = "") -> dict[str, object]:
    """A rule as nft prints it."""
    match = [{"match": {"right": network}}] if network else []
    return {"rule": {"chain": chain, "expr": match, **({"comment": comment} if comment else {})}}


RULES = json.dumps(
    {
        "nftables": [
            rule("asked", "east delay=0.05 loss=0.01"),
            rule("asked", "far rate=1000000.0"),
            rule("asked", "east delay=0.08 jitter=0.005"),
            *(rule("slowed", network=one) for way in WAYS.values() for one in way.networks),
        ]
    }
)
QUEUES = json.dumps(
    [{"kind": "htb", "handle": "7a1:", "root": True}, {"kind": "netem", "handle": "8001:", "parent": "7a1:2"}]
)


def test_the_later_layer_counts_and_what_it_does_not_say_stays() -> None:
    assert shaping.effective(LAYERS) == {
        "east": {"delay": 0.08, "loss": 0.01, "jitter": 0.005},
        "far": {"rate": 1e6},
    }


def test_each_cluster_has_a_class_with_its_rate_and_what_netem_does() -> None:
    assert [" ".join(argv) for argv in shaping.slow_classes(LAYERS, WAYS, "")] == [
        "tc qdisc add dev eth0 root handle 7a1: htb",
        "tc class add dev eth0 parent 7a1: classid 7a1:2 htb rate 100000000000bit",
        "tc qdisc add dev eth0 parent 7a1:2 netem limit 100000 delay 80000us 5000us loss 1.0000%",
        "tc class add dev eth0 parent 7a1: classid 7a1:a htb rate 1000000bit",
    ]


def test_the_queue_that_was_there_goes_and_no_other() -> None:
    assert shaping.slow_classes((), WAYS, QUEUES) == [("tc", "qdisc", "del", "dev", "eth0", "root")]
    assert shaping.slow_classes((), WAYS, json.dumps([{"kind": "noqueue", "root": True}])) == []


def test_packets_are_sorted_by_where_they_go_and_layers_are_written_down_in_their_order() -> None:
    script = shaping.sort_packets(LAYERS, WAYS)[1].split("; ")
    assert [line.partition("comment ")[2] for line in script if " asked return" in line] == [
        '"east delay=0.05 loss=0.01"',
        '"far rate=1000000.0"',
        '"east delay=0.08 jitter=0.005"',
    ]
    assert "add rule inet multicluster_lab slowed ip daddr 172.31.7.3 meta priority set 0x7a10002" in script


def test_layers_are_read_back_as_they_were_written() -> None:
    assert shaping.in_force(RULES, QUEUES, WAYS) == LAYERS


def test_a_layer_whose_queue_or_rule_is_gone_is_not_in_force() -> None:
    without_netem = json.dumps([{"kind": "htb", "handle": "7a1:", "root": True}])
    assert shaping.in_force(RULES, without_netem, WAYS) == LAYERS[1:2]
    moved = {**WAYS, "far": Way(10, ("10.99.0.0/16",))}
    assert shaping.in_force(RULES, QUEUES, moved) == (LAYERS[0], LAYERS[2])
    assert shaping.in_force("", "", WAYS) == ()
