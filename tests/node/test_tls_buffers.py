"""TLS connections with small buffers carry what large ones do."""

import gc
from asyncio.sslproto import SSLProtocol
from pathlib import Path

import pytest

from lab.base import tls
from lab.kube.kinds import CONFIG_MAPS
from tests.node.cluster import running_cluster


async def test_object_larger_than_the_buffer_passes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: Path
) -> None:
    monkeypatch.setattr(SSLProtocol, "max_size", SSLProtocol.max_size)  # put back after the test
    tls.thrifty()
    text = "x" * 500_000
    async with running_cluster(tmp_path, keys) as cluster:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"text": text}}
        await cluster.client.create(CONFIG_MAPS, body, "default")
        assert (await cluster.get(CONFIG_MAPS, "big"))["data"]["text"] == text
        found = [obj for obj in gc.get_objects() if isinstance(obj, SSLProtocol)]
        live = [each for each in found if each._transport is not None]
        assert {len(each._ssl_buffer) for each in live} == {tls.READ_BUFFER}
