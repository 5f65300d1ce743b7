"""For all tests: which of them share a process where several run at once."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share labs. All of engine kind share one Docker engine: the networks of a second
    one on this machine would have the same addresses.
    """
    for item in items:
        file = item.nodeid.partition("::")[0]
        group = "kind" if file.startswith("tests/kind/") else file
        item.add_marker(pytest.mark.xdist_group(group))
