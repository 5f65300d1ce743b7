"""`lab matrix` on real labs: two modes by two faults, one of them the loss of what only one mode needs."""

import json
import re
from pathlib import Path

import pytest

from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = str(Path(__file__).with_name("remote-calls.yaml"))


def test_only_calls_through_a_gateway_fail_with_it_and_each_mode_needs_one_lab(
    cli: Cli, tmp_path: Path
) -> None:
    page = tmp_path / "matrix.html"
    done = cli.run(
        "matrix", FILE, "--fault", "api,gateway", "--html", str(page), "--json", code=1, timeout=280
    )
    found = json.loads(done.stdout)
    verdicts = {(cell["fault"], cell["mode"]): cell["verdict"] for cell in found["cells"]}
    assert verdicts == {
        ("api", "gateway"): "held",
        ("api", "flat"): "held",
        ("gateway", "gateway"): "failed",
        ("gateway", "flat"): "held",
    }, done.stdout
    (failed,) = (cell for cell in found["cells"] if not cell["asExpected"])
    assert (failed["key"]["measure"], failed["key"]["window"]) == ("success", "during loss")
    assert failed["command"] == f"lab matrix {FILE} --mode gateway --fault gateway"
    assert len(re.findall("start cluster|cluster starts", done.stderr)) == 4, done.stderr
    assert page.read_text().count('class="chart"') == 4
    assert cli.json("list") == []
