"""Pages of results in a real browser: charts are drawn, nothing fails, nothing is asked of the network."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.scenarios.grid import Grid, Result
from lab.scenarios.matrix import Cell
from lab.scenarios.pages import matrix_page, run_page
from tests.scenarios.recorded import verdict

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=8000",
    "--dump-dom",
)
THE_BROWSER_ITSELF = "not an origin"
"""The initiator of requests that no page makes, such as looking for updates."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Visit:
    """What a browser did with a page."""

    dom: str
    console: list[str]
    requests: list[str]

    @property
    def drawn(self) -> list[str]:
        """Of each chart that was drawn, what is in it: everything up to the next one."""
        return re.split(r'<div class="chart[^>]* data-drawn="yes"', self.dom)[1:]


def visit(page: str, folder: Path, anchor: str = "") -> Visit:
    """Open a page from disk. Skips where no browser is installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is on PATH")
    file, log = folder / "page.html", folder / "net.json"
    file.write_text(page)
    argv = [
        browser,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}",
        f"{file.as_uri()}{anchor}",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=True)
    asked = [
        event["params"]
        for event in json.loads(log.read_text())["events"]
        if "initiator" in event.get("params", {})
    ]
    return Visit(
        done.stdout,
        [line for line in done.stderr.splitlines() if "CONSOLE" in line],
        [one["url"] for one in asked if one["initiator"] != THE_BROWSER_ITSELF],
    )


def test_the_page_of_a_run_draws_a_chart_for_each_round_without_an_error_or_a_request(tmp_path: Path) -> None:
    seen = visit(run_page(verdict(rounds=2)), tmp_path)
    assert (seen.console, seen.requests) == ([], [])
    assert len(seen.drawn) == 2
    for chart in seen.drawn:
        assert "fault.gateway east" in chart
        assert chart.count('class="js-line"') >= 3, "success, p50 and p99"
        assert chart.count('class="point"') > 200, "calls and shares"
        assert {"Success", "Latency", "Share of answers"} <= set(re.findall(r">([\w ]+)</text>", chart))


def test_the_page_of_a_matrix_draws_the_charts_of_the_cell_that_is_looked_at(tmp_path: Path) -> None:
    cells = [Cell("", mode, "", "") for mode in ("gateway", "flat")]
    page = matrix_page(
        Grid("Calls go on", [Result(cell, "lab matrix x", verdict()) for cell in cells], "lab matrix x")
    )
    seen = visit(page, tmp_path, "#cell-2")
    assert (seen.console, seen.requests) == ([], [])
    assert len(seen.drawn) == 1


def test_a_page_that_fails_and_asks_the_network_would_be_noticed(tmp_path: Path) -> None:
    bad = "<!doctype html><script src='http://127.0.0.1:1/x.js'></script><script>undefined.draw()</script>"
    seen = visit(bad, tmp_path)
    assert seen.requests == ["http://127.0.0.1:1/x.js"]
    assert any("TypeError" in line for line in seen.console)
