"""Which cells a matrix has, what each runs, and why one cannot be."""

from collections.abc import Mapping

import pytest

from lab.base.errors import UsageError
from lab.scenarios.axes import Swap, fault_step, with_fault
from lab.scenarios.matrix import Axes, Cell, cells, shared
from lab.topology.load import parse
from lab.topology.model import Topology

PLAIN = """
name: calls
clusters: {west: {}, east: {}, north: {}}
links: [{from: west, to: east, modes: [gateway, federated]}, west -> north]
apps: [{app: echo, clusters: [east], export: [gateway, federated]}]
traffic: [{from: west, to: "http://echo-east.echo", name: echo}]
scenario:
  steps: [{name: loss, at: 1s, fault: scale, target: east/echo/echo, for: 2s}]
  expect: [{traffic: west/echo, during: loss, success: ">= 99%"}]
"""
SIMPLE = PLAIN.replace("gateway, federated", "gateway")
VARIANTS = """
name: bug
clusters: {west: {}, east: {}}
links: [west -> east]
apps: [{app: echo, clusters: [east], export: gateway}]
traffic: [{from: west, to: "http://echo-east.echo", name: echo}]
scenario:
  steps: [{name: policy, at: 1s, apply: "kind: List\\n"}, {fault: pause, cluster: east, for: 1s}]
  expect: [{traffic: west/echo, success: ">= 99%"}]
variants:
  bad: {verdict: failed}
  good: {verdict: held, apps: [{app: echo, clusters: [east], export: flat}]}
  old: {verdict: failed, mesh: {version: "2.14"}}
"""


def bases(text: str) -> Mapping[str, Topology]:
    topology = parse(text, "x.yaml")
    names = topology.variants or ("",)
    return {name: topology.variant(name) if name else topology for name in names}


def planned(text: str, *flags: str) -> list[Cell]:
    """The cells for `flags`: variant, mode, version, fault, step."""
    return cells(bases(text), Axes.parse(*flags, *[""] * (5 - len(flags))))


def ways(found: list[Cell]) -> list[tuple[str, ...]]:
    return [cell.way for cell in found]


def test_without_flags_a_file_without_variants_is_run_in_both_modes() -> None:
    assert ways(planned(PLAIN)) == [("", "gateway", "", ""), ("", "flat", "", "")]


def test_without_flags_a_file_that_exports_nothing_is_run_as_it_is() -> None:
    assert ways(planned(SIMPLE.replace(", export: [gateway]", ""))) == [("", "", "", "")]


def test_without_flags_a_file_with_variants_is_run_in_each_with_its_known_verdict() -> None:
    found = planned(VARIANTS)
    assert [(cell.row, cell.expected) for cell in found] == [
        ("bad", "failed"),
        ("good", "held"),
        ("old", "failed"),
    ]


def test_axes_multiply_row_by_row_and_words_said_twice_count_once() -> None:
    found = planned(SIMPLE, "", "gateway,flat", "2.14,latest,2.14", "scale, pause")
    assert len(found) == 8
    assert [cell.row for cell in found] == ["scale"] * 4 + ["pause"] * 4
    assert [cell.column for cell in found[:4]] == [
        "gateway 2.14",
        "gateway latest",
        "flat 2.14",
        "flat latest",
    ]


def test_a_mode_changes_exports_and_the_links_that_must_carry_them_and_leaves_federation_alone() -> None:
    (cell,) = planned(PLAIN, "", "flat", "", "")
    assert cell.topology
    assert cell.topology.apps[0].export == {"echo": ("flat", "federated")}
    assert [link.modes for link in cell.topology.links] == [("flat", "federated"), None]


def test_a_cell_that_is_a_variant_takes_its_parts_and_its_known_verdict() -> None:
    found = planned(VARIANTS, "", "gateway,flat")
    assert [(cell.mode, cell.expected) for cell in found] == [("gateway", "failed"), ("flat", "held")]
    (old,) = planned(VARIANTS, "", "", "2.14")
    assert (old.expected, old.topology) == ("failed", bases(VARIANTS)["old"])


def test_a_cell_that_the_file_does_not_know_has_to_hold() -> None:
    (cell,) = planned(VARIANTS, "bad", "", "", "api")
    assert cell.expected == "held"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("scale", "fault.scale east/echo/echo"),
        ("scale=2", "fault.scale east/echo/echo --to 2"),
        ("http", "fault.http east/echo/echo --status 503"),
        ("pause", "fault.pause east"),
        ("pause@north", "fault.pause north"),
        ("partition", "fault.partition east west"),
        ("partition@west", "fault.partition west east,north"),
        ("partition@west->north", "fault.partition west->north"),
        ("delay", "fault.impair east west --delay 100ms"),
        ("loss=1%", "fault.impair east west --loss 1%"),
        ("dns=50%", "fault.dns east --share 50%"),
        ("clock", "fault.clock east/echo/echo --skew 48h"),
        ("certificate@east", "fault.certificate east"),
    ],
)
def test_a_fault_takes_the_place_of_the_files_on_what_that_one_hits(said: str, words: str) -> None:
    (cell,) = planned(PLAIN, "", "gateway", "", said)
    assert cell.topology, cell.reason
    (step,) = cell.topology.scenario.steps
    assert (step.name, step.at, step.hold, step.words) == ("loss", 1.0, 2.0, words)


def test_a_fault_inside_another_step_is_replaced_there() -> None:
    nested = (
        PLAIN.replace("[{name: loss,", "[{at: 0s, parallel: [{name: loss,")
        .replace("at: 1s, fault", "fault")
        .replace("for: 2s}]", "for: 2s}]}]")
    )
    (topology,) = bases(nested).values()
    made = with_fault(topology, fault_step(topology), Swap("pause"))
    assert made.scenario.steps[0].parallel[0].words == "fault.pause east"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("", "", "", "kill"), "kill is over at once, and the scenario expects something during loss"),
        (("", "", "", "pause=3"), "pause takes no value, and 3 was given"),
        (("", "", "", "partition@south"), "no link leads from or to south"),
        (("", "", "", "pause@south"), 'no cluster "south"'),
        (("", "", "", "loss=abc"), "loss: "),
        (("", "", "2.14", ""), "federated"),
    ],
    ids=lambda value: " ".join(value).strip() if isinstance(value, tuple) else "",
)
def test_a_cell_that_cannot_be_says_why(flags: tuple[str, ...], reason: str) -> None:
    found = planned(PLAIN, *flags)
    assert all(cell.topology is None and reason in cell.reason for cell in found), found


def test_a_mode_that_no_link_can_carry_cannot_be() -> None:
    found = planned(SIMPLE.replace("east: {},", "east: {network: far},"))
    assert [bool(cell.topology) for cell in found] == [True, False]
    assert "pods of different networks cannot reach each other" in found[1].reason


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("", "flta"), '--mode "flta" is unknown'),
        (("", "", "2.13"), '--version "2.13" is unknown'),
        (("", "", "", "klil"), 'there is no fault "klil"'),
        (("worse",), '--variant "worse" is unknown'),
        (("", "", "", "pause", "gain"), '--step "gain": no fault has this name'),
    ],
)
def test_words_that_do_not_exist_are_refused(flags: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        planned(VARIANTS if flags[0] else PLAIN, *flags)


def test_of_several_faults_one_must_be_named() -> None:
    two = PLAIN.replace("for: 2s}]", "for: 2s}, {name: more, at: 5s, fault: api, cluster: east, for: 1s}]")
    with pytest.raises(UsageError, match="has 2 faults"):
        planned(two, "", "gateway", "", "pause")
    (cell,) = planned(two, "", "gateway", "", "pause@north", "more")
    assert cell.topology
    assert [step.words for step in cell.topology.scenario.steps] == [
        "fault.scale east/echo/echo",
        "fault.pause north",
    ]


def test_cells_that_differ_in_their_fault_share_a_lab() -> None:
    groups = shared(planned(SIMPLE, "", "", "2.14", "scale,pause,kill"))
    assert [[cell.lab for cell in group] for group in groups] == [
        ["calls-gateway-2-14"] * 2,
        ["calls-flat-2-14"] * 2,
    ]


def test_cells_whose_steps_leave_something_behind_share_nothing() -> None:
    assert [len(group) for group in shared(planned(VARIANTS, "bad", "", "", "api,pause"))] == [1, 1]


def test_the_name_of_a_cells_lab_fits_into_what_names_may_have() -> None:
    (cell,) = planned(PLAIN.replace("name: calls", f"name: {'a' * 32}"), "", "gateway", "latest", "pause")
    assert cell.topology
    assert cell.topology.renamed(cell.lab).name == "a" * 17 + "-gateway-latest"


def test_the_words_of_a_cell_give_that_cell_alone() -> None:
    for cell in planned(VARIANTS, "", "gateway,flat", "2.14,latest", "api,pause@west"):
        alone = cell.alone("")
        (again,) = cells(bases(VARIANTS), alone)
        assert again == cell
        assert " ".join(alone.flags) == f"--mode {cell.mode} --version {cell.version} --fault {cell.fault}"
