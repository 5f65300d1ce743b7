"""Two real API servers, a stand-in for the CLI on PATH, and a mesh that drives it."""

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.base.state import LabDir, make_private
from lab.kube.client import Client, Request
from lab.kube.kubeconfig import entry, merged
from lab.mesh.linkerd.mesh import LinkerdMesh
from lab.mesh.protocol import MeshCluster
from lab.topology.load import parse
from tests.mesh.clusters import api_cluster
from tests.mesh.install.conftest import make_pods_ready
from tests.node.cluster import pki

LATEST, OLD = "edge-26.8.3", "stable-2.14.10"
TOPOLOGY = """
name: lab
engine: existing
mesh: {{version: "{version}"}}
clusters: {{west: {{}}, east: {{}}}}
links: [{link}]
"""


@dataclass
class Rig:
    """Clusters west and east, and the folder of their lab."""

    dir: LabDir
    west: MeshCluster
    east: MeshCluster
    record: Path
    said: list[tuple[str, str]] = field(default_factory=list)

    def mesh(self, version: str = "latest", link: str = "west <-> east") -> LinkerdMesh:
        topology = parse(TOPOLOGY.format(version=version, link=link), "lab.yaml")
        return LinkerdMesh(self.dir, topology, lambda where, what: self.said.append((where, what)))

    def calls(self) -> list[list[str]]:
        """The words of each call but the global flags, after the release of the CLI called."""
        called = [json.loads(line) for line in self.record.read_text().splitlines()]
        self.record.write_text("")
        hidden = ("--kubeconfig=", "--context=")
        return [[word for word in words if not word.startswith(hidden)] for words in called]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with both releases of the CLI, and no other programs but those of the system."""
    cache = tmp_path / "tools"
    for name, release in (("linkerd", LATEST), ("linkerd-2.14", OLD)):
        install(cache, name, release)
    monkeypatch.setenv("LAB_TOOLS", str(cache))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("LINKERD_RECORD", str(tmp_path / "calls"))
    (tmp_path / "calls").touch()
    return cache


def install(cache: Path, name: str, release: str, program: str = "stand_in") -> None:
    """Put a stand-in there, as one release of the CLI or as Helm."""
    place = cache / release / name
    place.parent.mkdir(parents=True, exist_ok=True)
    stand_in = Path(__file__).parent / f"{program}.py"
    place.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in} {release} "$@"\n')
    place.chmod(0o755)
    (cache / name).symlink_to(place)


@pytest.fixture
async def rig(tmp_path: Path, keys: Path, programs: Path) -> AsyncIterator[Rig]:
    lab = LabDir(make_private(tmp_path / "lab"))
    async with contextlib.AsyncExitStack() as stack:
        clusters = {}
        for name, address in (("west", "172.28.0.10"), ("east", "172.28.0.20")):
            clusters[name] = await stack.enter_async_context(
                api_cluster(name, tmp_path / name, keys, address)
            )
            node = asyncio.create_task(make_pods_ready(clusters[name].client))
            stack.callback(node.cancel)
        write_kubeconfigs(lab, keys, clusters)
        yield Rig(lab, clusters["west"], clusters["east"], tmp_path / "calls")


def write_kubeconfigs(lab: LabDir, keys: Path, clusters: dict[str, MeshCluster]) -> None:
    encoded = {
        name: base64.b64encode((keys / name).read_bytes()).decode()
        for name in ("ca.crt", "admin.crt", "admin.key")
    }
    user = {"client-certificate-data": encoded["admin.crt"], "client-key-data": encoded["admin.key"]}
    contexts = {
        lab.context(name): entry(lab.context(name), one.api_url, encoded["ca.crt"], user)
        for name, one in clusters.items()
    }
    for path in (lab.kubeconfig, lab.inside_kubeconfig):
        path.write_text(yaml.safe_dump(merged(contexts)))


async def everything(client: Client) -> set[str]:
    """Every object that a cluster has, but those that Kubernetes itself makes as it goes."""
    found: set[str] = set()
    groups = json.loads(await client.raw(Request("GET", "/apis")))["groups"]
    versions = [one["groupVersion"] for group in groups for one in group["versions"]]
    for path in ["/api/v1", *(f"/apis/{version}" for version in versions)]:
        rows: list[dict[str, Any]] = json.loads(await client.raw(Request("GET", path)))["resources"]
        for row in rows:
            if "list" in row["verbs"] and "/" not in row["name"] and row["name"] not in ("events", "leases"):
                listed = json.loads(await client.raw(Request("GET", f"{path}/{row['name']}")))
                meta = [one["metadata"] for one in listed["items"]]
                found |= {f"{row['name']} {one.get('namespace', '')}/{one['name']}" for one in meta}
    return {one for one in found if not one.endswith(("/kube-root-ca.crt", "/default", "/kubernetes"))}
