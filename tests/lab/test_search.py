"""`lab search` on a real lab: what it finds fails again when it is run."""

import json
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FRAIL = """
name: frail
clusters: {west: {}}
apps: [{app: echo}]
traffic: [{from: west, to: "http://echo.echo", rate: 50/s, name: echo}]
scenario:
  expect: [{traffic: west/echo, success: ">= 99%"}]
"""


def test_the_fault_that_callers_notice_is_found_among_others_and_fails_again(
    cli: Cli, tmp_path: Path
) -> None:
    file, found = tmp_path / "frail.yaml", tmp_path / "found.yaml"
    file.write_text(FRAIL)
    words = ("--kind", "control-plane", "--kind", "scale", "--tries", "6", "--max-faults", "2", "--keep")
    try:
        searched = cli.run("search", str(file), *words, "--output", str(found), "--json", code=1, timeout=280)
        said = json.loads(searched.stdout)
        assert said["found"].startswith("fault.scale west/echo/echo for")
        assert said["found"].count("fault.") == 1
        assert said["failsAgain"] is True
        assert "fault.control-plane west" in " ".join(one["words"] for one in said["sequences"])
        assert [row["failed"] for row in said["sequences"] if "scale" not in row["words"]].count(True) == 0
        again = cli.run("run", str(found), "--json", code=1)
        assert json.loads(again.stdout)["expected"] == json.loads(again.stdout)["verdict"] == "failed"
        assert len(yaml.safe_load(found.read_text())["scenario"]["steps"]) == 1
    finally:
        cli.run("down", "--lab", "frail", "--purge", code=None)
