"""The whole interface, driven by keys, with a feed in the test's hand."""

from dataclasses import replace
from itertools import pairwise

import pytest

from lab.base.errors import LabError
from lab.observe.state import Problem
from lab.tui.app import LabApp
from lab.tui.dialogs import ChooseFault, ShowYaml
from lab.tui.head import Head
from lab.tui.logs import Commands, Events
from lab.tui.panes import Faults, Map, Problems, Traffic
from lab.tui.workloads import Workloads

SIZE = (100, 30)


def head(app: LabApp) -> str:
    return str(app.query_one(Head).render())


def written(log) -> str:
    return "\n".join(strip.text for strip in log.lines)


async def finish(app, pilot):
    """Wait for the actions under way."""
    for worker in [worker for worker in app.workers if worker.group == "actions"]:
        await worker.wait()
    await pilot.pause()


async def test_before_the_first_state_it_says_that_it_waits(bench):
    async with bench.app.run_test(size=SIZE):
        assert "waiting for the lab" in head(bench.app)


async def test_a_state_fills_every_pane(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.broken())
        assert "two-clusters" in head(bench.app)
        assert bench.app.query_one(Traffic).row_count == 2
        assert bench.app.query_one(Faults).selected_key() == "pause-1"
        assert bench.app.query_one(Problems).row_count == 1
        assert bench.app.query_one(Map).size.height == 7


@pytest.mark.parametrize("size", [(100, 30), (160, 50), (80, 24)], ids=["100x30", "160x50", "80x24"])
async def test_nothing_overlaps_at_usual_sizes(bench, lab, size):
    async with bench.app.run_test(size=size) as pilot:
        await bench.show(pilot, lab.broken())
        regions = [bench.app.query_one(f"#{name}").region for name in ("head", "map", "traffic", "lower")]
        assert all(upper.bottom <= lower.y for upper, lower in pairwise(regions))
        assert regions[-1].bottom <= size[1] - 1
        assert regions[-1].height >= 7


async def test_a_new_state_changes_cells_and_keeps_the_cursor(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        table = bench.app.query_one(Traffic)
        table.move_cursor(row=1)
        key = table.selected_key()
        await bench.show(
            pilot, lab.state(services=tuple(lab.service(c, success=0.5) for c in ("west", "east")))
        )
        assert table.selected_key() == key
        assert str(table.get_cell("west/front-shop", "SUCCESS")) == "50.00 %"


async def test_a_row_from_a_silent_cluster_stays_and_says_so(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await bench.show(pilot, lab.broken())
        table = bench.app.query_one(Traffic)
        assert str(table.get_cell("east/front-shop", "ANSWERED BY")) == "no word from the cluster"


async def test_traffic_removed_in_a_live_cluster_disappears(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await bench.show(pilot, lab.state(services=()))
        assert bench.app.query_one(Traffic).row_count == 0


async def test_a_feed_that_stays_silent_is_shown_as_stale_and_keys_still_work(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        bench.now = 42.0
        assert "stale since 42 s" in head(bench.app)
        await pilot.press("f")
        assert isinstance(bench.app.screen, ChooseFault)


async def test_a_feed_that_fails_says_why_and_is_tried_again(bench, lab, monkeypatch):
    monkeypatch.setattr("lab.tui.app.RETRY", 0)
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, LabError("lab two-clusters is not running"))
        assert "lab two-clusters is not running" in head(bench.app)
        await bench.show(pilot, lab.state())
        assert "not running" not in head(bench.app)


async def test_choosing_a_fault_injects_it_and_logs_the_command_line(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("f", *"pause east")
        await pilot.pause()
        await pilot.press("enter")
        await finish(bench.app, pilot)
        assert bench.actions.asked == [("pause", "east")]
        log = written(bench.app.query_one(Commands))
        assert "$ lab fault.pause east" in log
        assert "pause east done" in log
        assert bench.app.query_one(Traffic).row_count > 0  # what was typed there is no filter here


async def test_escape_leaves_the_fault_list_without_injecting(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("f", "escape")
        assert bench.actions.asked == []
        assert not isinstance(bench.app.screen, ChooseFault)


async def test_an_action_that_fails_shows_the_error(bench, lab):
    bench.actions.error = LabError("another command holds the lock")
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.broken())
        await pilot.press("h")
        await finish(bench.app, pilot)
        assert "another command holds the lock" in written(bench.app.query_one(Commands))


async def test_h_heals_the_fault_under_the_cursor(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.broken())
        await pilot.press("h")
        await finish(bench.app, pilot)
        assert bench.actions.asked == [("heal", "pause-1")]
        assert "$ lab fault.heal --id pause-1" in written(bench.app.query_one(Commands))


async def test_healing_everything_asks_first(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.broken())
        await pilot.press("H", "n")
        assert bench.actions.asked == []
        await pilot.press("H", "y")
        await finish(bench.app, pilot)
        assert bench.actions.asked == [("heal", "")]


async def test_the_filter_narrows_traffic_and_events_and_escape_clears_it(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("slash", *"front-east")
        await pilot.pause()
        table, events = bench.app.query_one(Traffic), bench.app.query_one(Events)
        assert (table.row_count, written(events)) == (1, "")
        await pilot.press("escape")
        await pilot.pause()
        assert table.row_count == 3
        assert "Started" in written(events)


async def test_y_shows_the_selected_row_as_yaml(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("y")
        await pilot.pause()
        assert isinstance(bench.app.screen, ShowYaml)
        assert bench.app.screen._value["p50Ms"] == 2.4


async def test_w_shows_what_the_proxies_measured_in_the_place_of_the_callers(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("w")
        await bench.show(pilot, lab.measured(success=0.5, answered=1))
        table = bench.app.query_one(Workloads)
        assert (table.display, bench.app.query_one(Traffic).display) == (True, False)
        assert bench.app.focused is table
        row = [str(cell) for cell in table.get_row("west/shop/Deployment/front")]
        assert row[:5] == ["west", "shop/front", "2/2 1 silent", "50.00 %", "40.0/s"]
        assert row[5:] == ["3.1 ms", "21.4 ms", "100 %", "12"]
        assert str(table.get_cell("east/shop/Deployment/front", "SUCCESS")) == "-"
        await pilot.press("w")
        assert (table.display, bench.app.query_one(Traffic).display) == (False, True)


async def test_workloads_of_a_cluster_that_fell_silent_stay_without_figures(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("w")
        await bench.show(pilot, lab.measured())
        whole = lab.measured()
        paused = Problem("cluster west", "the cluster is paused", "lab status")
        for _ in range(2):
            await bench.show(pilot, replace(whole, workloads=whole.workloads[1:], problems=(paused,)))
        table = bench.app.query_one(Workloads)
        assert [str(table.get_cell(key.value, "RPS")) for key in table.rows] == ["-", "?"]
        await bench.show(pilot, replace(whole, workloads=whole.workloads[1:]))
        assert table.row_count == 1  # west is back, without this workload


async def test_many_workloads_leave_room_for_the_rest_on_a_small_terminal(bench, lab):
    async with bench.app.run_test(size=(80, 24)) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("w")
        one = lab.measured().workloads[0]
        many = tuple(replace(one, name=f"front-{number}") for number in range(20))
        await bench.show(pilot, replace(lab.measured(), workloads=many))
        table, lower = bench.app.query_one(Workloads), bench.app.query_one("#lower")
        assert table.size.height >= 4
        assert table.region.bottom <= lower.region.y
        assert (lower.region.height >= 7, lower.region.bottom) == (True, 23)


async def test_proxies_are_asked_only_while_the_workloads_are_shown(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        assert bench.stats.readers == 0
        await pilot.press("w")
        await pilot.pause()
        assert bench.stats.readers == 1
        await pilot.press("w")
        await pilot.pause()
        assert bench.stats.readers == 0


async def test_workloads_that_cannot_be_measured_say_why_and_are_tried_again(bench, lab, monkeypatch):
    monkeypatch.setattr("lab.tui.workloads.RETRY", 0)
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("w")
        bench.stats.give(LabError("the engine is gone"))
        await pilot.pause()
        await pilot.pause()
        assert "the engine is gone" in head(bench.app)
        await bench.show(pilot, lab.measured())
        assert bench.app.query_one(Workloads).row_count == 2


async def test_the_filter_and_yaml_hold_for_workloads_too(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.state())
        await pilot.press("w")
        await bench.show(pilot, lab.measured())
        await pilot.press("slash", *"west", "enter")
        await pilot.pause()
        assert bench.app.query_one(Workloads).row_count == 1
        await pilot.press("y")
        await pilot.pause()
        assert bench.app.screen._value["p99Ms"] == 21.4


async def test_checks_that_are_late_say_how_old_they_are(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        at = lab.state().time
        await bench.show(pilot, lab.state(checked_at=at - 20))
        assert "checks" not in head(bench.app)
        await bench.show(pilot, lab.state(checked_at=at - 90))
        assert "checks 90 s old" in head(bench.app)


async def test_question_mark_opens_and_closes_the_help(bench):
    async with bench.app.run_test(size=SIZE) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert bench.app.screen.query("HelpPanel")
        await pilot.press("question_mark")
        await pilot.pause()
        assert not bench.app.screen.query("HelpPanel")


async def test_the_palette_offers_every_fault_and_every_healing(bench, lab):
    async with bench.app.run_test(size=SIZE) as pilot:
        await bench.show(pilot, lab.broken())
        titles = {command.title for command in bench.app.get_system_commands(bench.app.screen)}
        assert {"Fault: freeze every process of west", "Heal pause-1"} <= titles


async def test_q_quits(bench):
    async with bench.app.run_test(size=SIZE) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not bench.app.is_running
