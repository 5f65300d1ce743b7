"""`lab up --engine kind` from end to end, as far as it goes without node images.

The Docker engine is real, kind and linkerd are stand-ins, and the nodes' ports lead to real API servers.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import yaml

from lab.base.errors import CheckFailed, LabError
from lab.kube.kinds import DEPLOYMENTS, LINKS
from lab.kube.kubeconfig import entry, merged
from lab.mesh.protocol import MeshCluster
from lab.ops import up
from lab.ops.down import down
from lab.ops.labs import from_file, labs
from tests.kind.conftest import TOPOLOGY, Rig
from tests.mesh.clusters import api_cluster
from tests.mesh.install.conftest import make_pods_ready
from tests.mesh.linkerd.conftest import LATEST, install
from tests.node.cluster import pki

pytestmark = [pytest.mark.slow, pytest.mark.netns]
HOST = "172.31.7.1"
"""This machine, as seen from the lab's network."""
FILES = ("ca.crt", "admin.crt", "admin.key")


async def relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From a node to an API server, which listens on this machine's loopback only."""
    there, back = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()

    await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)


def administrator(keys: Path) -> Path:
    """The file that kubeadm leaves on a control plane, with everything in place."""
    text = {name: base64.b64encode((keys / name).read_bytes()).decode() for name in FILES}
    user = {"client-certificate-data": text["admin.crt"], "client-key-data": text["admin.key"]}
    file = keys / "admin.conf"
    file.write_text(yaml.safe_dump(merged({"k": entry("k", "https://x:6443", text["ca.crt"], user)})))
    return file


@pytest.fixture
async def apis(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, MeshCluster]]:
    """The API servers that stand behind the nodes of west and east."""
    keys, known, found = pki(tmp_path / "pki"), {}, {}
    async with AsyncExitStack() as stack:
        for name in ("west", "east"):
            one = await stack.enter_async_context(api_cluster(name, tmp_path / name, keys, "172.31.7.99"))
            port = int(one.api_url.rpartition(":")[2])
            server = await stack.enter_async_context(
                await asyncio.start_server(partial(relay, port), "0.0.0.0", 0)
            )
            stack.callback(asyncio.create_task(make_pods_ready(one.client)).cancel)
            at = [HOST, str(server.sockets[0].getsockname()[1])]
            known[f"two-{name}"] = {"admin": str(administrator(keys)), "at": at}
            found[name] = one
        monkeypatch.setenv("KIND_APIS", json.dumps(known))
        yield found


async def test_every_step_is_done_and_what_is_not_healthy_in_the_end_is_told(
    rig: Rig,
    apis: dict[str, MeshCluster],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    install(tmp_path / "tools", "linkerd", LATEST)
    monkeypatch.setenv("LAB_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("LINKERD_RECORD", str(tmp_path / "linkerd"))
    monkeypatch.setattr(up, "HEALTHY_WITHIN", {"kind": 1.0})
    file = tmp_path / "two.yaml"
    file.write_text(TOPOLOGY.replace(", far: {network: other}", "").replace(", far -> west", "")
                    + "apps: [{app: echo, export: {echo: [gateway]}}]\n")  # fmt: skip
    with pytest.raises(CheckFailed, match="is up but not healthy"):
        await asyncio.to_thread(up.bring_up, from_file(str(file)))
    there = rig.address("east")
    linked = [json.loads(line) for line in (tmp_path / "linkerd").read_text().splitlines()]
    assert any(f"--api-server-address=https://{there}:6443" in words for words in linked)
    assert f'{{"ip":"{there}"}}' in capsys.readouterr().err  # the gateway's, in the command that gives it
    assert len(await apis["west"].client.list(LINKS, "linkerd-multicluster")) == 1
    assert await apis["west"].client.get(DEPLOYMENTS, "echo", "echo")


def test_an_up_that_fails_half_way_stays_on_the_list_so_that_down_finds_it(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half.yaml").write_text(TOPOLOGY.replace("name: two", "name: half"))
    monkeypatch.setenv("KIND_FAILS_WITH", "ERROR: failed to create cluster")
    monkeypatch.setenv("LINKERD_RECORD", str(tmp_path / "linkerd"))
    install(tmp_path / "tools", "linkerd", LATEST)
    monkeypatch.setenv("LAB_TOOLS", str(tmp_path / "tools"))
    with pytest.raises(LabError, match="failed to create cluster"):
        up.bring_up(from_file(str(tmp_path / "half.yaml")))
    assert "half" in [row["lab"] for row in labs().data]
    down("half", purge=True)
    with rig.docker.client() as client:
        assert client.networks.list(names=["multicluster-lab-half"]) == []
