"""The words for what happened between two states."""

from dataclasses import replace

from lab.tui.changes import changes


def texts(old, new):
    return [(one.where, one.text) for one in changes(old, new)]


def test_a_pause_is_told_as_cluster_links_fault_and_traffic(lab):
    found = texts(lab.state(), lab.broken())
    assert ("east", "cluster ready → paused") in found
    assert ("west→east", "link up → down: east is paused") in found
    assert ("east", "fault pause-1 (pause) active") in found
    assert ("west→front-shop", "success fell to 94.0%") in found


def test_healing_is_told_as_the_way_back(lab):
    found = texts(lab.broken(), lab.state())
    assert ("east", "fault pause-1 healed") in found
    assert ("west→front-shop", "success back at 100.0%") in found


def test_traffic_that_another_cluster_answers_has_moved(lab):
    moved = lab.state(services=(lab.service("west", answered_by={"east": 1.0}),))
    assert texts(lab.state(), moved) == [("west→front-shop", "traffic moved from west to east")]


def test_nothing_new_says_nothing(lab):
    assert changes(lab.state(), lab.state()) == []


def test_the_first_state_tells_only_the_events_it_holds(lab):
    assert texts(None, lab.state()) == [("west", "Pod shop/front-1: Started: container front")]


def test_a_link_that_is_gone_is_told_as_removed(lab):
    fewer = replace(lab.state(), links=lab.state().links[:1])
    assert texts(lab.state(), fewer) == [("east→west", "link removed")]
