"""The commands that slow packets in a node, and what is read back."""

import json

from lab.engines.kind import links, shaping
from lab.engines.kind.nodes import Wiring
from lab.engines.kind.shaping import Layer, Way

WAYS = {"east": Way(2, ("10.21.0.0/16", "172.31.7.3")), "far": Way(10, ("10.22.0.0/16",))}
LAYERS = (
    Layer("east", (("delay", 0.05), ("loss", 0.01))),
    Layer("far", (("rate", 1e6),)),
    Layer("east", (("delay", 0.08), ("jitter", 0.005))),
)


def rule(chain: str, comment: str = "", network: str = "", into: str = "") -> dict[str, object]:
    """A rule as nft prints it."""
    match = [{"match": {"right": network}}, {"mangle": {"key": {}, "value": into}}] if network else []
    return {"rule": {"chain": chain, "expr": match, **({"comment": comment} if comment else {})}}


RULES = json.dumps(
    {
        "nftables": [
            rule("asked", "east delay=0.05 loss=0.01"),
            rule("asked", "far rate=1000000.0"),
            rule("asked", "east delay=0.08 jitter=0.005"),
            *(rule("slowed", "", one, way.class_id) for way in WAYS.values() for one in way.networks),
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


def test_layers_are_written_down_in_their_order_before_packets_are_sorted_into_classes() -> None:
    link = Layer("far", (("rate", 5e6),), of_link=True)
    commands = shaping.change((link, *LAYERS), WAYS, "")
    assert [argv[0] for argv in commands] == ["nft", "tc", "tc", "tc", "tc", "nft"]
    written, sorting = commands[0][1].split("; "), commands[-1][1].split("; ")
    assert [line.partition("comment ")[2] for line in written if " asked return" in line] == [
        '"far link rate=5000000.0"',
        '"east delay=0.05 loss=0.01"',
        '"far rate=1000000.0"',
        '"east delay=0.08 jitter=0.005"',
    ]
    assert "flush chain inet multicluster_lab slowed" in written
    assert "add rule inet multicluster_lab slowed ip daddr 172.31.7.3 meta priority set 0x7a10002" in sorting


def test_a_fault_counts_over_a_link_wherever_it_stands_and_the_rest_of_the_link_stays() -> None:
    link = Layer("east", (("delay", 0.02), ("rate", 5e6)), of_link=True)
    assert shaping.effective((*LAYERS[::2], link))["east"] == {
        "delay": 0.08,
        "loss": 0.01,
        "jitter": 0.005,
        "rate": 5e6,
    }


def test_layers_are_read_back_as_they_were_written() -> None:
    assert shaping.in_force(RULES, QUEUES, WAYS) == LAYERS


def test_a_layer_whose_queue_or_rule_is_gone_is_not_in_force() -> None:
    without_netem = json.dumps([{"kind": "htb", "handle": "7a1:", "root": True}])
    assert shaping.in_force(RULES, without_netem, WAYS) == LAYERS[1:2]
    moved = {**WAYS, "far": Way(10, ("10.99.0.0/16",))}
    assert shaping.in_force(RULES, QUEUES, moved) == (LAYERS[0], LAYERS[2])
    assert shaping.in_force("", "", WAYS) == ()


def test_a_layer_whose_packets_are_sorted_into_another_class_is_not_in_force() -> None:
    renumbered = {**WAYS, "far": Way(3, WAYS["far"].networks)}
    assert shaping.in_force(RULES, QUEUES, renumbered) == (LAYERS[0], LAYERS[2])


LINK = Layer("far", (("rate", 1e6),), of_link=True)
OF_LINK = RULES.replace("far rate", "far link rate")
"""The same kernel, had the rate been asked by the topology."""


def test_what_links_ask_is_told_from_faults_and_left_alone_where_it_is() -> None:
    seen = Wiring(rules=OF_LINK, queues=QUEUES)
    assert [one.of_link for one in shaping.in_force(OF_LINK, QUEUES, WAYS)] == [False, True, False]
    assert links.hold([LINK], WAYS, seen)
    first = json.loads(OF_LINK)
    first["nftables"].insert(0, first["nftables"].pop(1))  # links are laid before faults
    assert links.repair([LINK], WAYS, Wiring(rules=json.dumps(first), queues=QUEUES)) == []


def test_what_links_ask_is_laid_anew_under_the_faults_where_the_kernel_has_it_otherwise() -> None:
    slower = Layer("far", (("rate", 2e6),), of_link=True)
    seen = Wiring(rules=OF_LINK, queues=QUEUES)
    assert not links.hold([slower], WAYS, seen)
    assert links.repair([slower], WAYS, seen) == shaping.change((slower, LAYERS[0], LAYERS[2]), WAYS, QUEUES)
    assert not links.hold([LINK], WAYS, Wiring(rules=OF_LINK))
    assert not links.hold([], WAYS, seen)
    assert links.hold([], {"east": WAYS["east"]}, seen)  # nothing is asked on the way to what is not there


def test_without_links_and_faults_no_queue_is_left() -> None:
    east = {"east": WAYS["east"]}
    seen = Wiring(rules=json.dumps({"nftables": [rule("asked", "far link rate=1.0")]}), queues=QUEUES)
    assert links.repair([], east, seen) == [
        ("tc", "qdisc", "del", "dev", "eth0", "root"),
        shaping.write_down(()),
    ]
    assert links.repair([], east, Wiring()) == []
