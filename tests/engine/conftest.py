"""A running sandbox with two clusters' networks and no Kubernetes in it; pods are plain programs."""

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lab.base.state import LabDir, make_private
from lab.engines.embedded import sandbox
from lab.engines.embedded.control import Control
from lab.engines.embedded.preflight import preflight
from lab.pocket.node.runtime import Container, Mount

PLANS = {
    "west": {"name": "west", "index": 0, "node_ip": "172.28.0.10", "pod_cidr": "10.20.0.0/16"},
    "east": {"name": "east", "index": 1, "node_ip": "172.28.0.11", "pod_cidr": "10.21.0.0/16"},
}
DNS = {"west": "10.120.0.10", "east": "10.121.0.10"}
_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("netns")]
    if wanted and (missing := [f for f in preflight()[:2] if not f.ok]):
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=f"{missing[0].need}: {missing[0].seen}"))


async def add_cluster(control: Control, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plan = {**PLANS[name], "dns_ip": DNS[name], "network": "default"}
        await control.call_with_fds("add-cluster", (listener.fileno(),), plan=plan)


async def configure(control: Control, lab: LabDir) -> None:
    keep, path = list(sandbox.keep_paths(lab)), os.environ["PATH"]
    await control.call("configure", images={"sleep": ["sleep", "600"]}, keep_paths=keep, path=path)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabDir]:
    folder = LabDir(make_private(tmp_path_factory.mktemp("labs") / "rig"))

    async def start() -> None:
        await sandbox.start(folder)
        async with Control.connect(folder) as control:
            await configure(control, folder)
            for name in PLANS:
                await add_cluster(control, name)

    asyncio.run(start())
    yield folder
    asyncio.run(sandbox.end(folder))


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[LabDir]:
    """A lab of the test's own, with one cluster and one running pod; ended afterwards whatever happened."""
    folder = LabDir(make_private(tmp_path / "fresh"))
    await sandbox.start(folder)
    async with Control.connect(folder) as connection:
        await configure(connection, folder)
        await add_cluster(connection, "west")
        rig = Rig(connection, tmp_path)
        await rig.start("west", await rig.pod("west"), ["sleep", "600"])
    yield folder
    await sandbox.end(folder)


@pytest.fixture
async def control(lab: LabDir) -> AsyncIterator[Control]:
    async with Control.connect(lab) as connection:
        yield connection


class Rig:
    """Pods and containers without a node."""

    def __init__(self, control: Control, folder: Path) -> None:
        self.control = control
        self.log = folder / "log"
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def follow(self, cluster: str) -> None:
        async for event in self.control.events(cluster):
            self.events.put_nowait(event)

    async def pod(self, cluster: str) -> dict[str, Any]:
        uid = f"pod{os.getpid()}-{next(_numbers)}"
        return await self.control.call(
            "sandbox", cluster=cluster, pod_uid=uid, namespace="default", name=uid, hostname=uid
        )

    async def end_of(self, name: str) -> dict[str, Any]:
        """The event of a container's or an exec's end."""
        async with asyncio.timeout(10):
            while (event := await self.events.get())["id"] != name:
                pass
        return event

    async def start(
        self,
        cluster: str,
        pod: dict[str, Any],
        argv: Sequence[str],
        mounts: Sequence[Mount] = (),
        image: str = "x",
        **fields: Any,
    ) -> dict[str, Any]:
        name = f"{pod['pod_uid']}/main/{next(_numbers)}"
        container = Container(
            id=name,
            pod_uid=pod["pod_uid"],
            image=image,
            command=tuple(argv),
            env={"GREETING": "hello"},
            mounts=tuple(mounts),
            log_path=str(self.log),
            **fields,
        )
        return await self.control.call("start", cluster=cluster, container=asdict(container))

    async def run(self, container: dict[str, Any], *argv: str, tty: bool = False) -> str:
        """The output of a command run inside a container."""
        _answer, fds = await self.control.call_with_fds(
            "exec", (), id=container["id"], argv=list(argv), tty=tty
        )
        if not tty:
            os.close(fds[0])
        return await asyncio.to_thread(_read_all, fds if tty else fds[1:])

    async def serve(self, cluster: str, word: str, port: int = 8080) -> dict[str, Any]:
        """A pod that answers every TCP connection with a word; returns its sandbox."""
        pod = await self.pod(cluster)
        container = await self.start(cluster, pod, [sys.executable, "-u", "-c", SERVER, word, str(port)])
        await self.run(container, sys.executable, "-c", WAIT, str(port))
        return pod

    async def ask(self, container: dict[str, Any], address: str, port: int) -> str:
        """What answers at an address as seen from a container, or why nothing does."""
        return (await self.run(container, sys.executable, "-c", ASK, address, str(port))).strip()


SERVER = """
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[2]))) as listener:
    while True:
        peer, (address, _) = listener.accept()
        with peer:
            peer.sendall(f"{sys.argv[1]} to {address}".encode())
"""
WAIT = """
import socket, sys, time
for _ in range(500):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except OSError:
        time.sleep(0.01)
"""
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5) as peer:
        print(peer.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


def _read_all(fds: list[int]) -> str:
    parts = []
    for fd in fds:
        try:
            while data := os.read(fd, 65536):
                parts.append(data)
        except OSError:
            pass  # a terminal whose program has ended reports an error instead of an end
        os.close(fd)
    return b"".join(parts).decode()


@pytest.fixture
async def rig(control: Control, tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(control, tmp_path)
    followers = [asyncio.create_task(made.follow(name)) for name in PLANS]
    yield made
    for task in followers:
        task.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
