"""The cluster fixtures; a PKI is made once per run, it is the slow part."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.node.cluster import Cluster, pki, running_cluster


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def bare(tmp_path: Path, keys: Path) -> AsyncIterator[Cluster]:
    """API server and controllers; the node is not started yet."""
    async with running_cluster(tmp_path, keys) as cluster:
        yield cluster


@pytest.fixture
async def cluster(bare: Cluster) -> Cluster:
    """A cluster with its node."""
    bare.start_node()
    return bare
