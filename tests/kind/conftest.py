"""A real Docker engine of the tests' own, and labs of this engine on it."""

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest

from lab.base.state import LabDir, make_private, write_private
from lab.engines.kind import preflight
from lab.engines.kind.engine import KindEngine
from lab.plan.addresses import LabPlan, addresses
from lab.topology.load import dump, parse
from tests.kind import dockerd, node_image, python_image, stand_in
from tests.kind.dockerd import Dockerd

TOPOLOGY = f"""
name: two
engine: kind
kind:
  {{image: "{node_image.TAG}", python: "{python_image.SMALL}", subnet: 172.31.7.0/24, cache: false,
    cpus: 1.5, memory: 256Mi}}
clusters: {{west: {{}}, east: {{}}, far: {{network: other}}}}
links: [west <-> east, far -> west]
"""


def quiet(where: str, what: str) -> None:
    """A listener for progress that nobody reads."""


@dataclass(frozen=True)
class Rig:
    """One lab on a real Docker engine, its clusters made by the stand-in for kind."""

    docker: Dockerd
    dir: LabDir
    plan: LabPlan
    engine: KindEngine
    record: Path

    def changed(self, text: str) -> Self:
        """The same lab with another topology."""
        topology = parse(text, "two.yaml")
        write_private(self.dir.topology, dump(topology))
        return replace(self, plan=addresses(topology))

    async def up(self) -> None:
        await self.engine.ensure(self.dir, self.plan, quiet)

    def inside(self, node: str, *argv: str, code: int | None = 0) -> str:
        """What a program in a node says; `code` is what it must end with (None: any)."""
        with self.docker.client() as client:
            done = client.containers.get(f"two-{node}-control-plane").exec_run(list(argv))
        if code is not None:
            assert done.exit_code == code, f"{shlex.join(argv)}: {done.output.decode()}"
        return str(done.output.decode())

    def address(self, cluster: str) -> str:
        with self.docker.client() as client:
            attrs = client.containers.get(f"two-{cluster}-control-plane").attrs
        return str(attrs["NetworkSettings"]["Networks"]["multicluster-lab-two"]["IPAddress"])

    def milliseconds(self, source: str, target: str) -> float:
        """The round trip of six full packets at once."""
        said = self.inside(source, "ping", "-c1", "-W9", "-s8000", self.address(target))
        return float(said.partition("time=")[2].split()[0])

    def give_pod(self, cluster: str, address: str, pods: str) -> None:
        """A pod as kindnet makes one, and kindnetd's masquerade of all that leaves the cluster."""
        script = f"""
            mkdir -p /run/netns && /bin/ip netns add pod
            /bin/ip link add veth0 type veth peer name eth0 netns pod
            /bin/ip link set veth0 up && /bin/ip route add {address} dev veth0
            /bin/ip -n pod addr add {address}/32 dev eth0 && /bin/ip -n pod link set eth0 up
            /bin/ip addr add 169.254.1.1/32 dev veth0
            /bin/ip -n pod route add 169.254.1.1 dev eth0 && /bin/ip -n pod route add default via 169.254.1.1
            nft 'add table ip kindnet;
                 add chain ip kindnet post {{ type nat hook postrouting priority 100; }};
                 add rule ip kindnet post ip saddr {pods} ip daddr != {pods} masquerade'
        """
        self.inside(cluster, "sh", "-ec", script)

    def calls(self) -> list[dict[str, Any]]:
        """How kind was called, since the last time this was asked."""
        rows = [json.loads(line) for line in self.record.read_text().splitlines()]
        self.record.write_text("")
        return rows


@pytest.fixture(scope="session")
def engine_of_docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    if reason := dockerd.why_not():
        pytest.skip(f"no Docker engine can be started here: {reason}")
    started = dockerd.start(tmp_path_factory.mktemp("dockerd"))
    yield started
    dockerd.end(started)


@pytest.fixture(scope="module")
def environment(engine_of_docker: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Docker and kind as a command finds them; the result is where kind's calls are recorded."""
    folder = tmp_path_factory.mktemp("bin")
    record = folder / "calls"
    record.write_text("")
    script = folder / "kind"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in.__file__} "$@"\n')
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine_of_docker.host)
        patch.setenv("PATH", str(folder), prepend=":")
        patch.setenv("KIND_RECORD", str(record))
        # Nodes of the stand-in watch no files: what real ones need is tested in test_preflight.py.
        patch.setattr(preflight, "INSTANCES_PER_CLUSTER", 0)
        patch.setattr(preflight, "LEAST_INSTANCES", 0)
        yield record


@pytest.fixture
def rig(
    engine_of_docker: Dockerd, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    topology = parse(TOPOLOGY, "two.yaml")
    folder = LabDir(make_private(tmp_path / "two"))
    write_private(folder.topology, dump(topology))
    environment.write_text("")
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    yield Rig(engine_of_docker, folder, addresses(topology), KindEngine(), environment)
    dockerd.sweep(engine_of_docker)
