"""The known differences in CONTRIBUTING.md: each names a test that is there."""

import ast
from pathlib import Path

import pytest

from lab.topology.bugs import BUGS

HERE = Path(__file__).parent
PAGE = (
    (HERE.parents[1] / "CONTRIBUTING.md")
    .read_text()
    .partition("## Known differences\n")[2]
    .partition("\n## ")[0]
)
PINS = [line.split("|")[2].strip(" `") for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]


def test_the_page_lists_differences_from_both() -> None:
    assert "### From the Gateway API" in PAGE
    assert "### From Linkerd" in PAGE
    assert len(PINS) == sum(line.startswith("| ") and "pinned by" not in line for line in PAGE.splitlines())


def test_the_page_lists_every_bug_that_can_be_asked_for() -> None:
    listed = [
        line.split("`")[1]
        for line in PAGE.partition("### Bugs of Linkerd\n")[2].splitlines()
        if "| `" in line
    ]
    assert sorted(listed) == sorted(BUGS)


@pytest.mark.parametrize("pin", PINS)
def test_a_difference_is_pinned_by_a_test_that_is_there(pin: str) -> None:
    file, _, name = pin.partition(": ")
    tree = ast.parse((HERE / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in found
