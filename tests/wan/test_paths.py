"""Which paths between clusters are impaired, and how, from what links and faults ask."""

from lab.engines.embedded.wan.lane import Conditions
from lab.engines.embedded.wan.paths import Layer, Path, paths

PLANS = {
    "west": {"node_ip": "172.28.0.10", "pod_cidr": "10.20.0.0/16"},
    "east": {"node_ip": "172.28.0.11", "pod_cidr": "10.21.0.0/16"},
}
FLAT = {"west": ["10.21.0.0/16"], "east": ["10.20.0.0/16"]}
LINK = Layer("west", "east", (("delay", 0.05),), of_link=True)
LOSSY = Layer("west", "east", (("loss", 0.1),))
SLOW = Layer("west", "east", (("delay", 0.5),))


def conditions(*layers: Layer) -> list[Conditions]:
    return [path.conditions for path in paths(layers, PLANS, {})]


def test_nothing_asked_is_no_path() -> None:
    assert paths([], PLANS, FLAT) == []


def test_where_pods_reach_each_other_their_networks_are_on_the_path() -> None:
    west, east = (("172.28.0.10/32", "10.20.0.0/16"), ("172.28.0.11/32", "10.21.0.0/16"))
    assert paths([LINK], PLANS, FLAT) == [Path("west", "east", west, east, Conditions(delay=0.05))]


def test_where_they_do_not_only_the_nodes_are() -> None:
    (path,) = paths([LINK], PLANS, {})
    assert (path.origins, path.destinations) == (("172.28.0.10/32",), ("172.28.0.11/32",))


def test_a_fault_keeps_what_the_link_says_and_it_does_not() -> None:
    assert conditions(LOSSY, LINK) == [Conditions(delay=0.05, loss=0.1)]


def test_of_two_faults_that_say_the_same_the_later_holds_and_without_it_the_earlier() -> None:
    third = Layer("west", "east", (("delay", 0.2),))
    assert conditions(LINK, SLOW, third) == [Conditions(delay=0.2)]
    assert conditions(LINK, SLOW) == [Conditions(delay=0.5)]


def test_a_fault_may_make_a_slow_link_plain() -> None:
    assert conditions(LINK, Layer("west", "east", (("delay", 0.0),))) == []


def test_a_cluster_that_is_not_there_has_no_path() -> None:
    assert paths([Layer("west", "asia", (("delay", 0.05),))], PLANS, {}) == []


def test_a_path_and_a_layer_are_the_same_after_being_written_down() -> None:
    (path,) = paths([LINK], PLANS, FLAT)
    assert Path.from_json(path.to_json()) == path
