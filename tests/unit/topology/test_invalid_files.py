"""Wrong topology files and the exact words users get. UPDATE_GOLDENS=1 rewrites the words."""

import os
from pathlib import Path

import pytest

from lab.base.errors import TopologyError
from lab.topology.load import parse

FOLDER = Path(__file__).parent / "invalid"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_wrong_file_is_refused_in_these_words(file: Path) -> None:
    golden = file.with_suffix(".txt")
    with pytest.raises(TopologyError) as caught:
        parse(file.read_text(), file.name)
    words = f"{caught.value}\n"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(words)
    assert words == golden.read_text()
