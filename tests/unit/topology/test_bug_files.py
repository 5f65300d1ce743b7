"""What every file of topologies/bugs has to tell its reader, and that their list is complete."""

import re
from pathlib import Path

import pytest

from lab.base import shipped
from lab.topology.load import parse

FOLDER = shipped.TOPOLOGIES / "bugs"
FILES = sorted(FOLDER.glob("*.yaml"))
ROWS = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| [")]


def test_there_is_a_row_for_every_file() -> None:
    assert [row.split("(")[1].split(")")[0] for row in ROWS] == [file.name for file in FILES]
    assert len(FILES) >= 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_bug_fails_first_and_then_shows_what_helps(file: Path) -> None:
    variants = parse(file.read_text(), file.name).variants
    assert [variant.verdict for variant in variants.values()] == ["failed", "held"]
    row = ROWS[FILES.index(file)]
    assert ", ".join(f"`{name}`" for name in variants) in row


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_names_its_issue_and_how_to_run_it_both_ways(file: Path) -> None:
    head = file.read_text().partition("\nname:")[0]
    _, helps = parse(file.read_text(), file.name).variants
    assert f"#{file.stem.rpartition('-')[2]}" in head
    assert re.findall(r"lab run (bugs/\S+)(?: --variant (\S+))?", head) == [
        (f"bugs/{file.stem}", ""),
        (f"bugs/{file.stem}", helps),
    ]
