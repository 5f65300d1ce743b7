"""`lab matrix` on real labs: two modes by two faults, one of them the loss of what only one mode needs."""

import json
from pathlib import Path

import pytest

from tests.lab.conftest import Cli

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = str(Path(__file__).with_name("remote-calls.yaml"))


def test_only_calls_through_a_gateway_fail_with_it_and_each_mode_needs_one_lab(
    cli: Cli, tmp_path: Path
) -> None:
    before, page = cli.json("list"), tmp_path / "matrix.html"
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
    assert done.stderr.count("starting the sandbox") == 2, done.stderr
    assert page.read_text().count('class="chart"') == 4
    assert cli.json("list") == before


def test_cells_whose_lab_goes_wrong_say_so_and_the_others_get_a_lab_of_their_own(
    cli: Cli, tmp_path: Path
) -> None:
    before = cli.json("list")
    file = tmp_path / "never-steady.yaml"
    steady = 'steady: {for: 1s, within: 1s, expect: [{traffic: west/echo, success: "= 0%"}]}'
    file.write_text(Path(FILE).read_text().replace("steady: {for: 1s}", steady))
    done = cli.run(
        "matrix", str(file), "--mode", "flat", "--fault", "api,pause", "--json", code=1, timeout=280
    )
    cells = json.loads(done.stdout)["cells"]
    assert [(cell["verdict"], cell["run"]) for cell in cells] == [("error", None)] * 2
    assert all("is not in its steady state" in cell["reason"] for cell in cells)
    assert done.stderr.count("starting the sandbox") == 2, done.stderr
    assert cli.json("list") == before
