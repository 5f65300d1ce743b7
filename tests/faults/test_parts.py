"""What a fault means to an engine, what healing restores, and how targets are read."""

import pytest

from lab.base.errors import UsageError
from lab.engines.protocol import EngineFault
from lab.faults.catalogue import ENGINE, ENGINE_PARTS
from lab.faults.kubemade import original, restored
from lab.faults.model import Fault, Target
from lab.ops.fault import read_target
from lab.ops.labs import Lab, from_file


def fault(kind: str, id: str = "x-1", **parts: object) -> Fault:
    target = Target(**{k: v for k, v in parts.items() if k in ("clusters", "others")})  # type: ignore[arg-type]
    rest = {k: v for k, v in parts.items() if k in ("before", "parameters")}
    return Fault(id, kind, target, since=0.0, state="active", **rest)  # type: ignore[arg-type]


def test_a_partition_is_one_part_per_direction_whichever_side_is_named_first() -> None:
    parts = ENGINE.parts(fault("partition", clusters=("west",), others=("east", "asia")))
    assert parts == ENGINE.parts(fault("partition", clusters=("asia", "east"), others=("west",)))
    for here, there in (("asia", "west"), ("west", "asia")):
        assert EngineFault("partition", frozenset({here}), frozenset({there}), one_way=True) in parts
    assert len(parts) == 4


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("pause", EngineFault("pause", frozenset({"east"}))),
        ("api", EngineFault("component", frozenset({"east"}), component="apiserver")),
    ],
)
def test_a_cluster_fault_is_one_part_per_cluster(kind: str, part: EngineFault) -> None:
    assert part in ENGINE.parts(fault(kind, clusters=("east", "west")))


@pytest.mark.parametrize("kind", ["scale", "kill", "gateway", "control-plane"])
def test_faults_of_workloads_are_no_business_of_the_engine(kind: str) -> None:
    assert kind not in ENGINE_PARTS


def test_healing_goes_back_to_what_was_there_before() -> None:
    one = fault("scale", before={"east/shop/front": 3}, parameters={"replicas": 0})
    assert restored(one, []) == {"east/shop/front": 3}


def test_healing_one_of_two_faults_on_a_deployment_leaves_what_the_other_wants() -> None:
    one = fault("scale", "scale-1", before={"east/shop/front": 3}, parameters={"replicas": 0})
    two = fault("scale", "scale-2", before={"east/shop/front": 3}, parameters={"replicas": 1})
    assert restored(one, [two]) == {"east/shop/front": 1}


def test_a_second_fault_on_a_deployment_remembers_what_was_there_before_the_first() -> None:
    one = fault("scale", "scale-1", before={"east/shop/front": 3}, parameters={"replicas": 0})
    assert original({"east/shop/front": 0, "east/shop/cart": 2}, [one]) == {
        "east/shop/front": 3,
        "east/shop/cart": 2,
    }


@pytest.fixture(scope="module")
def lab() -> Lab:
    return from_file("three-clusters")


def test_targets_read_as_the_command_line_writes_them(lab: Lab) -> None:
    assert read_target(lab, "pause", "west,asia") == Target(clusters=("west", "asia"))
    assert read_target(lab, "partition", "west,east|asia") == Target(("west", "east"), ("asia",))
    assert read_target(lab, "scale", "west/shop/front") == Target(("west",), (), "shop", "front")


@pytest.mark.parametrize(
    ("kind", "word", "said"),
    [
        ("pause", "wset", 'no cluster "wset"'),
        ("partition", "west|west", "both sides"),
        ("scale", "west/front", "is not CLUSTER/NAMESPACE/NAME"),
    ],
)
def test_a_wrong_target_is_refused_with_what_is_wrong(lab: Lab, kind: str, word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_target(lab, kind, word)
