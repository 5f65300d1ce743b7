"""What a fault means to an engine, what healing restores, and how targets are read."""

from datetime import timedelta

import pytest

from lab.base.errors import UsageError
from lab.controlplane.faults import Flaw
from lab.engines.protocol import EngineFault
from lab.faults.catalogue import ENGINE, ENGINE_PARTS
from lab.faults.certificates import certificate, fits
from lab.faults.kubemade import original, restored
from lab.faults.meshmade import MeshMade, http
from lab.faults.model import Fault, Target
from lab.faults.settings import parameters, words
from lab.faults.workloads import drawn
from lab.kube.kinds import HTTP_FAULTS
from lab.ops.labs import Lab, from_file
from lab.ops.targets import of_link, read_target


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


def test_a_link_stands_for_its_two_sides_and_an_arrow_for_one_direction() -> None:
    assert of_link("west->east") == ("west|east", True)
    assert of_link("west <-> east") == ("west|east", False)
    assert of_link("west,asia|east") == ("west,asia|east", False)


def test_a_cut_in_one_direction_is_one_part() -> None:
    parts = ENGINE.parts(fault("partition", clusters=("west",), others=("east",), parameters={"one_way": 1}))
    assert parts == {EngineFault("partition", frozenset({"east"}), frozenset({"west"}), one_way=True)}


def test_workloads_are_read_by_several_names_or_by_label(lab: Lab) -> None:
    assert read_target(lab, "kill", "west,east/shop/front,stock") == Target(
        ("west", "east"), (), "shop", "front,stock"
    )
    assert read_target(lab, "http", "west/shop/app.io/name=front").service == "app.io/name=front"


def test_a_share_of_pods_is_the_same_for_the_same_seed_and_at_least_one() -> None:
    pods = [{"metadata": {"name": f"p{n}"}} for n in range(10)]
    assert drawn(pods, 0.3, 1) == drawn(list(reversed(pods)), 0.3, 1) != drawn(pods, 0.3, 2)
    assert [len(drawn(pods, share, 0)) for share in (0.01, 0.3, 1.0)] == [1, 3, 10]


def test_an_http_fault_is_one_object_for_each_workload_that_was_found() -> None:
    said = parameters("http", {"status": 503, "delay": "200ms", "share": "30%"})
    target = Target(("west",), (), "shop", "front")
    before = {"west": {"shop/front": {"matchLabels": {"app": "front"}}}}
    asked = Fault("http-1", "http", target, 0.0, parameters=said, before=before)
    (made,) = MeshMade(HTTP_FAULTS, http).objects(asked, "west")
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("http-1-front", "shop")
    assert made["spec"] == {
        "podSelector": {"matchLabels": {"app": "front"}},
        "percent": 30,
        "httpStatus": 503,
        "delayMilliseconds": 200,
    }


@pytest.mark.parametrize(
    ("kind", "said", "asked", "shown"),
    [
        ("certificate", {}, {"problem": "expired"}, {}),
        ("certificate", {"problem": "wrong-name"}, {"problem": "wrong-name"}, {"problem": "wrong-name"}),
        ("clock", {"skew": "-25h"}, {"clockSkewSeconds": -90000}, {"skew": "-25h"}),
    ],
)
def test_a_flaw_of_certificates_reads_back_as_it_was_asked_for(
    kind: str, said: dict[str, str], asked: dict[str, object], shown: dict[str, str]
) -> None:
    made = fault(kind, parameters=parameters(kind, said))  # type: ignore[arg-type]
    assert (certificate(made), words(made)) == (asked, shown)


@pytest.mark.parametrize(
    ("wanted", "problem", "skew", "does"),
    [
        (Flaw(), "", 1.0, True),
        (Flaw(), "foreign-root", 0.0, False),
        (Flaw(), "", 60.0, False),
        (Flaw("expired"), "expired", -90_000.0, True),
        (Flaw("expired"), "", 0.0, False),
        (Flaw(skew=timedelta(hours=2)), "not-yet-valid", 7201.0, True),
        (Flaw(skew=timedelta(minutes=-2)), "", -119.0, True),
        (Flaw(skew=timedelta(minutes=-2)), "", 0.0, False),
    ],
)
def test_a_certificate_is_compared_with_the_flaw_that_is_wanted(
    wanted: Flaw, problem: str, skew: float, does: bool
) -> None:
    assert fits(wanted, problem, skew) == does


def test_certificates_are_of_workloads_or_of_whole_clusters(lab: Lab) -> None:
    assert read_target(lab, "certificate", "west,east") == Target(("west", "east"))
    assert read_target(lab, "clock", "west/shop/front") == Target(("west",), (), "shop", "front")


@pytest.mark.parametrize(
    ("kind", "said", "wrong"),
    [
        ("http", {"share": "30%"}, "at least one of --status, --grpc-status, --delay"),
        ("dns", {"share": "30"}, '--share: found "30"; allowed: a share'),
        ("clock", {}, "at least one of --skew"),
        ("certificate", {"problem": "odd"}, '--problem: found "odd"; allowed: expired, not-yet-valid'),
    ],
)
def test_flags_that_do_not_do_are_refused_with_what_would(
    kind: str, said: dict[str, str], wrong: str
) -> None:
    with pytest.raises(UsageError, match=wrong):
        parameters(kind, said)  # type: ignore[arg-type]
