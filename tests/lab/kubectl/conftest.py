"""One small lab for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Cli, RunningLab
from tests.lab.kubectl.plain import bring_up_plain


@pytest.fixture(scope="package")
def lab(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    yield from bring_up_plain(cli, tmp_path_factory.mktemp("plain"))
