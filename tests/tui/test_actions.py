"""Which faults are offered, and the command line each stands for."""

import shlex

from lab.tui.actions import choices, workloads
from lab.verbs import faults as verbs


def test_every_cluster_fault_is_offered_for_every_cluster(lab):
    offered = {(choice.kind, choice.target) for choice in choices(lab.state())}
    assert {("pause", "west"), ("pause", "east"), ("api", "west"), ("control-plane", "east")} <= offered
    assert ("partition", "west|east") in offered


def test_workloads_are_found_behind_mirrors_and_federated_services(lab):
    services = (lab.service("west", "front-east.shop"), lab.service("west", "front-federated.shop"))
    assert workloads(lab.state(services=services)) == ["west/shop/front", "east/shop/front"]


def test_with_three_clusters_one_can_be_cut_off_from_all_others(lab):
    state = lab.state(clusters=tuple(map(lab.cluster, ("a", "b", "c"))))
    assert ("partition", "a|b,c") in {(choice.kind, choice.target) for choice in choices(state)}


def test_the_command_line_shown_names_a_verb_that_exists(lab):
    for choice in choices(lab.state()):
        program, verb, *targets = shlex.split(choice.command)
        assert program == "lab"
        assert hasattr(verbs, verb.removeprefix("fault.").replace("-", "_"))
        assert len(targets) == (2 if choice.kind == "partition" else 1)
