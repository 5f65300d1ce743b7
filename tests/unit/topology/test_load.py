"""What a right topology file means, and how files are found."""

import io
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from yaml import safe_load

from lab.base import shipped
from lab.base.errors import TopologyError, UsageError
from lab.topology import schema
from lab.topology.bounds import Bound
from lab.topology.links import Wan, directed_links
from lab.topology.load import dump, load, parse
from lab.topology.model import Topology

SHIPPED = sorted([*shipped.TOPOLOGIES.glob("*.yaml"), *shipped.TOPOLOGIES.glob("*/*.yaml")])


def lab(text: str) -> Topology:
    return parse(f"name: x\n{text}", "test")


TWO = "clusters: {west: {}, east: {}}\n"


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_topology_is_valid_and_named_like_its_file(file: Path) -> None:
    assert load(str(file)).name == file.stem


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_topology_fits_the_schema_its_header_names(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    named = (file.parent / first.split("$schema=")[1]).resolve()
    assert named == schema.SHIPPED.resolve()
    Draft202012Validator(schema.schema()).validate(safe_load(file.read_text()))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_dumped_topology_loads_back_to_an_equal_one(file: Path) -> None:
    topology = load(str(file))
    assert parse(dump(topology), "dump") == topology


def test_the_shipped_schema_is_fresh() -> None:
    assert schema.SHIPPED.read_text() == schema.text(), "run `lab schema > lab/topology/topology.schema.json`"


def test_the_schema_refuses_an_unknown_key() -> None:
    validator = Draft202012Validator(schema.schema())
    assert not validator.is_valid({"name": "x", "clusters": {"a": {}}, "clutsers": {}})


def test_the_schema_describes_every_key_of_every_part() -> None:
    parts = [schema.schema(), *schema.schema()["$defs"].values()]
    bare = [
        f"{part['title']}.{key}"
        for part in parts
        for key, value in part.get("properties", {}).items()
        if not value.get("description")
    ]
    assert bare == []


def test_a_link_both_ways_is_two_links() -> None:
    links = directed_links(lab(TWO + "links: [west <-> east]"))
    assert [str(link) for link in links] == ["west -> east", "east -> west"]


@pytest.mark.parametrize(
    ("clusters", "version", "modes"),
    [
        ("{west: {}, east: {}}", "latest", ("gateway", "flat", "federated")),
        ("{west: {}, east: {}}", "2.14", ("gateway", "flat")),
        ("{west: {network: a}, east: {network: b}}", "latest", ("gateway",)),
    ],
    ids=["one network", "one network on 2.14", "two networks"],
)
def test_a_link_without_modes_carries_all_that_can_be(
    clusters: str, version: str, modes: tuple[str, ...]
) -> None:
    text = f"clusters: {clusters}\nmesh: {{version: '{version}'}}\nlinks: [west -> east]"
    assert directed_links(lab(text))[0].modes == modes


def test_a_version_brings_its_bugs_along_and_others_are_asked_for() -> None:
    mesh = "mesh: {version: '2.14', emulate: [restart-vs-dead-gateway]}"
    assert lab(TWO + mesh).mesh.bugs == ("headless-mirrors-collected", "restart-vs-dead-gateway")
    assert lab(TWO).mesh.bugs == ()


def test_a_link_keeps_what_the_network_between_does() -> None:
    text = TWO + "links: [{from: west, to: east, delay: 20ms, jitter: 2ms, loss: 0.1%, rate: 100mbit}]"
    assert directed_links(lab(text))[0].wan == Wan(0.02, 0.002, 0.001, 100_000_000)


def test_a_link_leaves_the_same_labels_out_in_both_directions() -> None:
    text = TWO + "links: [{from: west, to: east, both: true, excluded-labels: [team, 'ci/*']}]"
    assert [one.excluded_labels for one in directed_links(lab(text))] == [("team", "ci/*")] * 2


@pytest.mark.parametrize(
    ("export", "meaning"),
    [
        ("flat", {"front": ("flat",)}),
        ("[flat, federated]", {"front": ("flat", "federated")}),
        ("{front: flat, catalog: [gateway]}", {"front": ("flat",), "catalog": ("gateway",)}),
    ],
    ids=["one mode", "several modes", "by service"],
)
def test_an_export_without_services_is_the_entry_service(
    export: str, meaning: dict[str, tuple[str, ...]]
) -> None:
    topology = lab(TWO + f"links: [west <-> east]\napps: [{{app: shop, export: {export}}}]")
    assert topology.apps[0].export == meaning


def test_a_cluster_without_settings_may_be_left_empty() -> None:
    assert lab("clusters:\n  west:\n").network_of("west") == "default"


def test_clusters_inherit_the_defaults() -> None:
    topology = lab("defaults: {network: n1}\nclusters: {west: {}, east: {network: n2}}")
    assert [topology.network_of(name) for name in topology.clusters] == ["n1", "n2"]


def test_clusters_of_different_networks_may_have_the_same_pod_addresses() -> None:
    west, east = "{network: a, pods: 10.9.0.0/16}", "{network: b, pods: 10.9.0.0/16}"
    assert lab(f"clusters: {{west: {west}, east: {east}}}\nlinks: [west <-> east]")


def test_traffic_is_named_after_the_host_it_calls() -> None:
    topology = lab(TWO + "traffic: [{from: west, to: 'http://front-east.shop:8080/x'}]")
    assert topology.traffic[0].label == "front-east-shop-8080"


def test_an_engine_on_the_command_line_overrides_the_file() -> None:
    assert parse("name: x\n" + TWO, "test", "kind").engine == "kind"


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("name: piped\n" + TWO))
    assert load("-").name == "piped"


def test_a_bare_name_is_a_shipped_topology_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("flat").name == "flat"


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_topology(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped.TOPOLOGIES)
    assert load("scenarios/failover").name == "failover"


def test_a_name_on_the_command_line_replaces_the_one_in_the_file() -> None:
    assert load("flat", name="mine").name == "mine"


def test_an_impossible_name_on_the_command_line_is_refused() -> None:
    with pytest.raises(UsageError, match='"A B" cannot be the name of a lab'):
        load("flat", name="A B")


def test_a_missing_file_is_refused_with_a_near_miss() -> None:
    with pytest.raises(UsageError, match="no topology file flta") as caught:
        load("flta")
    assert 'did you mean "flat"?' in caught.value.remedy


def test_a_missing_scenario_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(UsageError) as caught:
        load("scenarios/xyz")
    assert "scenarios/failover, " in caught.value.remedy


def test_a_file_that_is_not_text_is_refused_with_the_byte(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"name: \xff")
    with pytest.raises(TopologyError, match="byte 6 is 0xff"):
        load(str(tmp_path / "x.yaml"))


def test_manifests_and_programs_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "extra").mkdir()
    file = tmp_path / "x.yaml"
    file.write_text("name: x\n" + TWO + "manifests: [extra]\nimages: {a: [./bin/y, -v], b: [sh]}")
    topology = load(str(file))
    assert topology.manifests == (str(tmp_path / "extra"),)
    assert topology.images == {"a": (str(tmp_path / "bin/y"), "-v"), "b": ("sh",)}


def test_a_manifest_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\n" + TWO + "manifests: [gone.yaml]")
    with pytest.raises(TopologyError, match=r"manifests\[0\].*gone.yaml.* does not exist"):
        load(str(tmp_path / "x.yaml"))


def test_a_scenario_survives_being_stored_and_read_again() -> None:
    written = """
traffic: [{from: west, to: "http://front.shop"}]
scenario:
  steps:
    - {name: outage, at: 2s, fault: scale, target: west/shop/front, for: 3s}
    - {after: 500ms, fault: partition, a: west, b: east}
    - {fault: clock, target: "west,east", skew: -25h}
    - {heal: all}
  expect:
    - {traffic: west/front-shop, during: outage, success: ">= 99.95%", p99: "< 200ms"}
    - {traffic: west/front-shop, after: outage, answered_by: east, identity: [a, "b*"], status: 200}
"""
    found = lab(TWO + written)
    assert parse(dump(found), "stored") == found
    assert found.scenario.expect[0].success == Bound(">=", 0.9995)
    assert [step.words for step in found.scenario.steps[1:3]] == [
        "fault.partition west east",
        "fault.clock west,east --skew=-25h",
    ]


def test_the_files_of_a_scenario_are_relative_to_its_own(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("")
    steps = "scenario: {steps: [{apply: more.yaml}, {run: [./check, -v]}], expect: [{no_errors_in: west}]}"
    traffic = "traffic: [{from: west, to: 'http://front.shop'}]\n"
    (tmp_path / "x.yaml").write_text(f"name: x\n{TWO}{traffic}{steps}")
    applied, ran = load(str(tmp_path / "x.yaml")).scenario.steps
    assert (applied.apply, ran.run) == (str(tmp_path / "more.yaml"), (str(tmp_path / "check"), "-v"))


def test_an_anchor_that_contains_itself_is_refused_and_does_not_hang() -> None:
    with pytest.raises(TopologyError):
        parse("name: x\nclusters: &loop {west: *loop}", "test")
