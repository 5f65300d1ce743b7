"""Which groups a run measures, and that a group that breaks off still has all its rows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.base.errors import CheckFailed, UsageError
from lab.ops.bench import scene
from lab.ops.bench.groups import Group, chosen
from lab.ops.bench.lifecycle import ten_clusters
from lab.ops.bench.model import Figure, Row
from lab.ops.bench.run import GROUPS, measured
from lab.ops.bench.table import render
from lab.ops.bench.workbench import Workbench
from lab.topology.load import dump, parse
from lab.topology.model import Topology

FIRST, SECOND = Figure("first", 1, "s"), Figure("second", 1, "s")


async def _breaks_off(bench: Workbench) -> AsyncIterator[Row]:
    yield FIRST.measured(0.5)
    raise CheckFailed("the lab went away")


def test_a_run_without_a_word_leaves_out_what_is_measured_on_request_only() -> None:
    assert "up: ten clusters" not in {f.name for group in chosen(GROUPS, "") for f in group.figures}


def test_a_word_picks_groups_by_their_rows_and_on_request_too() -> None:
    assert [group.name for group in chosen(GROUPS, "TEN clusters")] == ["ten clusters"]


def test_a_word_that_no_row_has_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no row"):
        chosen(GROUPS, "latency of the moon")


def test_row_names_are_unique() -> None:
    names = [figure.name for group in GROUPS for figure in group.figures]
    assert len(names) == len(set(names))


async def test_rows_that_an_error_kept_from_being_measured_say_so(tmp_path: Path) -> None:
    group = Group("one", (FIRST, SECOND), _breaks_off)
    rows = await measured(group, Workbench(tmp_path))
    assert [(row.verdict, row.note) for row in rows] == [("yes", ""), ("not measured", "the lab went away")]


def test_the_table_has_a_line_per_row() -> None:
    assert render([FIRST.measured(0.5), SECOND.skipped("why")]).row_count == 2


async def _waits(bench: Workbench) -> AsyncIterator[Row]:
    yield FIRST.measured(0.5)
    await asyncio.Event().wait()


async def test_rows_after_the_end_of_the_run_are_not_measured(tmp_path: Path) -> None:
    group = Group("one", (FIRST, SECOND), _waits)
    deadline = asyncio.get_running_loop().time() + 0.01
    rows = await measured(group, Workbench(tmp_path), deadline)
    assert [row.verdict for row in rows] == ["yes", "not measured"]


@pytest.mark.parametrize("topology", [ten_clusters(), scene.topology("bench-paths")])
def test_the_topologies_of_the_bench_pass_the_checks_of_any_topology(topology: Topology) -> None:
    assert parse(dump(topology), "bench") == topology
