"""One lab for all clients: a cluster with a shell image, and a namespace of its own for every session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Cli, RunningLab, bring_up, cli

__all__ = ["cli"]

TOPOLOGY = """
name: clients
clusters:
  one: {}
images:
  "example.com/sh:*": ["/bin/sh", "-c"]
"""


@pytest.fixture(scope="package")
def lab(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    file = tmp_path_factory.mktemp("clients") / "lab.yaml"
    file.write_text(TOPOLOGY)
    yield from bring_up(cli, str(file), "clients")


@pytest.fixture
def kubeconfig(lab: RunningLab) -> Path:
    return lab.dir.kubeconfig


@pytest.fixture
def space(lab: RunningLab, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that goes with the test."""
    name = "c-" + "".join(c for c in request.node.name.lower() if c.isalnum())[:50]
    lab.kubectl("one", "create", "namespace", name)
    yield name
    lab.kubectl("one", "delete", "namespace", name, "--wait=false")
