"""A whole small cluster for tests: the real API server, controllers and node over a MemoryRuntime."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.base.process import run as run_program
from lab.base.wait import until
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS, Kind
from lab.pocket.apiserver.context import Settings
from lab.pocket.apiserver.crd.serve import CustomResources
from lab.pocket.apiserver.http.server import Front
from lab.pocket.apiserver.main import build, tls
from lab.pocket.controllers.run import run as run_controllers
from lab.pocket.node.agent import run as run_node
from lab.pocket.node.config import NodeConfig
from tests.node.memory_runtime import MemoryRuntime
from tests.pocket.pki import Pki

Object = dict[str, Any]
KUBECTL = Path(sys.executable).parent / "kubectl"


@dataclass
class Cluster:
    client: Client
    runtime: MemoryRuntime
    config: NodeConfig
    _node: asyncio.Task[None] | None = None
    _controllers: asyncio.Task[None] | None = None

    async def get(self, kind: Kind, name: str, namespace: str = "default") -> Object:
        return await self.client.get(kind, name, namespace)

    async def until(
        self, kind: Kind, name: str, holds: Callable[[Object], Any], namespace: str = "default"
    ) -> Object:
        """The object once `holds` is true of it; the failure shows its status."""
        seen: Object = {}

        async def probe() -> Object | None:
            nonlocal seen
            if self._node is not None and self._node.done():
                self._node.result()
            seen = await self.client.get(kind, name, namespace)
            return seen if holds(seen) else None

        try:
            return await until(probe, timeout=8, what=f"{kind.kind} {name}", every=0.02)
        except Exception as error:
            raise AssertionError(f"{error}: {seen.get('spec')} {seen.get('status')}") from error

    async def until_gone(self, kind: Kind, name: str, namespace: str = "default") -> None:
        async def probe() -> bool:
            try:
                await self.client.get(kind, name, namespace)
            except NotFound:
                return True
            return False

        await until(probe, timeout=8, what=f"{kind.kind} {name} gone", every=0.02)

    async def until_count(
        self, kind: Kind, count: int, labels: str, namespace: str = "default"
    ) -> list[Object]:
        async def probe() -> list[Object] | None:
            found = await self.client.list(kind, namespace, labels)
            return (found or [{}]) if len(found) == count else None

        return await until(probe, timeout=8, what=f"{count} {kind.plural}", every=0.02)

    async def make_pod(self, name: str, *containers: Object, **spec: Any) -> Object:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
            "spec": {"containers": list(containers) or [container("app")], **spec},
        }
        return await self.client.create(PODS, body)

    async def kubectl(self, *words: str, text: str = "") -> str:
        """What the real kubectl prints; a failure of it is raised."""
        keys = self.config.ca_file.parent
        flags = ["--server", self.client.server, "--certificate-authority", str(self.config.ca_file)]
        flags += ["--client-certificate", str(keys / "admin.crt"), "--client-key", str(keys / "admin.key")]
        flags += ["--cache-dir", str(self.config.pods_dir.parent / "kubectl")]
        env = {"HOME": str(self.config.pods_dir.parent), "KUBECONFIG": os.devnull}
        done = await run_program([str(KUBECTL), *flags, *words], timeout=30, env=env, stdin=text.encode())
        return done.stdout

    async def ready(self, name: str) -> Object:
        return await self.until(PODS, name, is_ready)

    def start_node(self) -> None:
        self._node = asyncio.create_task(run_node(self.config, self.runtime, self.client))

    async def stop_node(self) -> None:
        await _end(self._node)

    def start_controllers(self) -> None:
        work = run_controllers(
            self.client, cluster="west", node_ip="172.28.0.10", ca_file=self.config.ca_file
        )
        self._controllers = asyncio.create_task(work)

    async def stop_controllers(self) -> None:
        await _end(self._controllers)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def container(name: str, **fields: Any) -> Object:
    return {"name": name, "image": "multicluster.lab/apps", **fields}


def is_ready(pod: Object) -> bool:
    found = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in found)


def pki(folder: Path) -> Path:
    """Keys and certificates of a test cluster."""
    Pki(folder)
    return folder


@contextlib.asynccontextmanager
async def running_cluster(folder: Path, keys: Path) -> AsyncIterator[Cluster]:
    """Everything but a node; tests start that when they have prepared the runtime."""
    data = folder / "data"
    data.mkdir()
    kubelet = folder / "kubelet.sock"
    api = build(Settings("west", data, keys, kubelet_socket=kubelet, service_cidr="10.120.0.0/16"))
    custom_resources = CustomResources(api)
    custom_resources.start()
    server = web.Server(Front(api).handle, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls(keys))
    port = listener.sockets[0].getsockname()[1]
    client = await Client.from_kubeconfig_data(kubeconfig(port, keys))
    config = NodeConfig(
        cluster="west",
        name="west-node",
        ip="127.0.0.1",
        pod_cidr="10.20.0.0/16",
        dns_ip="127.0.0.77",  # no client connection takes its local port from this address
        dns_port=free_port(),
        failing_dns_port=free_port(),
        kubelet_socket=kubelet,
        pods_dir=folder / "pods",
        ca_file=keys / "ca.crt",
        api_host="10.120.0.1",
    )
    cluster = Cluster(client, MemoryRuntime(), config)
    cluster.start_controllers()
    try:
        yield cluster
    finally:
        await cluster.stop_node()
        await cluster.stop_controllers()
        await client.close()
        listener.close()
        await custom_resources.stop()
        api.store.drop_watchers()
        await server.shutdown(1.0)
        await listener.wait_closed()
        await api.webhooks.close()
        api.store.close()


def kubeconfig(port: int, keys: Path) -> Object:
    user = {"client-certificate": str(keys / "admin.crt"), "client-key": str(keys / "admin.key")}
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(keys / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
    }


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.77", 0))
        return int(sock.getsockname()[1])
