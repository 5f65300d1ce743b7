"""The page of a recorded run: what it says, and that it needs nothing else. `test_browser` opens it."""

import json
import re
from html import unescape

import pytest

from lab.scenarios.grid import Grid, Result
from lab.scenarios.matrix import Cell
from lab.scenarios.pages import matrix_page, run_page
from tests.scenarios.recorded import VERSIONS, verdict


@pytest.fixture(scope="module")
def page() -> str:
    return run_page(verdict())


def own(page: str) -> str:
    """The page without the library that it carries, as it is read."""
    longest = max(re.findall(r"<script>(.*?)</script>", page, re.DOTALL), key=len)
    return page.replace(longest, "")


def words(page: str) -> str:
    """What a reader sees of it."""
    bare = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", own(page), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare.replace("<wbr>", ""))).split())


def charts(page: str) -> list[dict[str, list[dict[str, object]]]]:
    return [
        json.loads(text)
        for text in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    ]


def test_the_verdict_stands_on_top_before_what_was_asked_and_measured(page: str) -> None:
    said = words(page)
    assert said.index("✗ Failed") < said.index("2 of 3 expectations held") < said.index("Asked")
    assert "FAILED west/echo success during loss >= 90%" in said
    assert "held west/echo answered_by whole run east east" in said


def test_what_ran_and_what_runs_it_again_are_told(page: str) -> None:
    said = words(page)
    assert "lab run calls.yaml --seed 7" in said
    for name, version in VERSIONS.items():
        assert f"{name} {version}" in said


def test_faults_lie_over_success_latency_and_shares_on_one_axis_of_time(page: str) -> None:
    (chart,) = charts(page)
    names = [trace.get("name") for trace in chart["data"]]
    assert names == ["fault.gateway east", "success", "calls", "failed calls", "p99", "p50", "east"]
    (bar,) = (trace for trace in chart["data"] if trace.get("name") == "fault.gateway east")
    shades = [shape for shape in chart["layout"]["shapes"] if shape["x0"] == bar["base"][0]]
    assert len(shades) == 4, "the fault is marked in each row of the chart"


def test_the_page_asks_for_nothing_from_anywhere(page: str) -> None:
    assert "default-src 'none'" in page
    assert "plotly.js v" in page
    assert not re.findall(
        r"<(?:script|img|iframe)[^>]*\ssrc=|<link[^>]*href=\"(?!data:)|url\(|@import", own(page)
    )


def test_a_title_with_markup_is_text(page: str) -> None:
    assert "Calls go on while &lt;east&gt; &amp; others lose a part" in page
    assert "<east>" not in page


def test_several_rounds_show_how_often_each_expectation_held_and_its_spread() -> None:
    said = words(run_page(verdict(rounds=2)))
    assert "2 of 3 expectations held in every round; all of them in 0 of 2 rounds" in said
    assert "Held Min Median Max" in said
    assert re.search(r"held west/echo success before loss = 100% 2/2 100% 100% 100%", said)
    assert "Round 1: failed" in said


def test_a_matrix_shows_each_cell_with_what_came_of_it_and_its_report() -> None:
    failed = Cell("", "gateway", "", "gateway")
    impossible = Cell("", "flat", "", "gateway", reason="west and east are on different networks")
    results = [
        Result(failed, "lab matrix x --mode gateway", verdict()),
        Result(impossible, "lab matrix x --mode flat"),
    ]
    page = matrix_page(Grid("Calls go on", results, "lab matrix x"))
    said = words(page)
    assert "✗ Not as expected 0 of 1 cell is as expected, 1 cannot be" in said
    assert "· impossible west and east are on different networks" in said
    assert "success during loss" in said
    assert '<a href="#cell-1">' in page
    assert 'id="cell-1"' in page
    assert len(charts(page)) == 1
