"""For all tests: which of them share a process where several run at once."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling


class Files(LoadFileScheduling):
    """The tests of a file stay together: they share labs. Those of engine kind do, too: the networks of two
    Docker engines on one machine would have the same addresses.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/kind" if nodeid.startswith("tests/kind/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Files:
    return Files(config, log)
