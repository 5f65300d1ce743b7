"""What a search draws from, and that every sequence makes a scenario that the strict parser takes."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.base.errors import UsageError
from lab.ops.search.space import Candidate, Hit, candidates, moments, searched, steps, with_sequence, words
from lab.topology.fault_words import FaultKind
from lab.topology.load import dump, parse

FILE = """
name: pair
clusters: {west: {}, east: {}, alone: {}}
links: [west <-> east]
apps: [{app: shop, clusters: [west, east], export: flat}, {app: echo, clusters: [west]}]
traffic: [{from: west, to: "http://front.shop", name: front}]
scenario:
  steps: [{name: outage, fault: pause, cluster: east, for: 3s}]
  for: 20s
  verdict: held
  expect:
    - {no_errors_in: west}
    - {traffic: west/front, during: outage, success: ">= 99%"}
    - {traffic: west/front, skip: 1s, success: ">= 99%"}
"""
TOPOLOGY = searched(parse(FILE, "the test"))
EVERY = candidates(TOPOLOGY)


def drawn(kind: str, cluster: str) -> Candidate:
    return next(one for one in EVERY if one.kind == kind and cluster in one.clusters)


def hits(count: int) -> st.SearchStrategy[list[Hit]]:
    one = st.builds(Hit, st.sampled_from(EVERY), st.sampled_from((3, 6)), st.booleans())
    return st.lists(one, min_size=1, max_size=count)


@settings(max_examples=60, database=None, deadline=None, derandomize=True)
@given(hits(5))
def test_every_sequence_makes_a_file_that_loads(sequence: list[Hit]) -> None:
    made = with_sequence(TOPOLOGY, sequence)
    read = parse(dump(made), "the finding")
    assert read == made
    faults = [step for one in read.scenario.steps for _path, step in one.walk() if step.fault]
    assert [step.fault for step in faults] == [hit.candidate.kind for hit in sequence]


def test_every_kind_of_fault_is_drawn() -> None:
    assert {one.kind for one in EVERY} == set(get_args(FaultKind))


def test_only_linked_clusters_are_cut_and_only_apps_that_are_there_are_hit() -> None:
    cuts = [dict(one.words) for one in EVERY if one.kind == "partition"]
    assert cuts == [{"a": "west", "b": "east"}]
    targets = {dict(one.words)["target"] for one in EVERY if one.kind == "kill"}
    assert "west/echo/echo" in targets
    assert not {"east/echo/echo", "alone/shop/front"} & targets


def test_kinds_and_clusters_narrow_the_search() -> None:
    found = candidates(TOPOLOGY, kinds=("pause", "partition"), clusters=("east",))
    assert [(one.kind, one.clusters) for one in found] == [
        ("partition", {"west", "east"}),
        ("pause", {"east"}),
    ]
    with pytest.raises(UsageError, match="no fault to search with"):
        candidates(TOPOLOGY, kinds=("partition",), clusters=("alone",))


def test_only_expectations_about_the_whole_run_are_judged() -> None:
    scenario = TOPOLOGY.scenario
    assert [(one.no_errors_in, one.traffic) for one in scenario.expect] == [
        ("west", None),
        (None, "west/front"),
    ]
    assert (scenario.steps, scenario.length, scenario.verdict) == ((), None, None)


def test_a_scenario_without_such_an_expectation_is_refused() -> None:
    bound = FILE.replace("- {no_errors_in: west}", "").replace("skip: 1s,", "after: outage,")
    with pytest.raises(UsageError, match="expects nothing of a whole run"):
        searched(parse(bound, "the test"))


@pytest.mark.parametrize("kinds", [("pause", "kill"), ("kill", "pause")])
def test_what_needs_an_api_server_never_comes_with_what_takes_it_away(kinds: tuple[str, str]) -> None:
    first, second = (Hit(drawn(kind, "west"), joins=True) for kind in kinds)
    assert moments([first, second]) == [[first], [second]]


def test_faults_that_can_stand_together_come_together_when_they_join() -> None:
    cut, pause = Hit(drawn("partition", "west")), Hit(drawn("pause", "west"), joins=True)
    kill = Hit(drawn("kill", "east"), joins=True)
    assert moments([cut, pause, kill]) == [[cut, pause, kill]]
    assert moments([cut, Hit(cut.candidate, 6, joins=True)]) == [[cut], [Hit(cut.candidate, 6, joins=True)]]
    assert [len(step.get("parallel", ())) for step in steps([cut, pause, kill])] == [3]


def test_a_sequence_is_said_as_the_command_line_would() -> None:
    sequence = [Hit(drawn("kill", "west")), Hit(drawn("pause", "east"), 6)]
    assert words(sequence) == "fault.kill west/shop/front, then fault.pause east for 6 s"
