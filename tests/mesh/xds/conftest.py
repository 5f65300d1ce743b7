"""Worlds from YAML, certificates, and real Envoys on loopback for the tests of model and xDS.

On loopback nothing is captured. So the outbound listener is bound to one port of all addresses and
ClusterIPs are loopback addresses dialled at that port; the inbound listener is bound to the pod's address,
and its way to the app is made a fixed one. Everything else is what a proxy in a pod gets.
"""

import asyncio
import json
import os
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2

from lab.base.wait import until
from lab.controlplane.identity import sds
from lab.controlplane.identity.certificates import (
    Pair,
    check_request,
    issuer,
    key_pem,
    new_key,
    sign,
    signing_request,
    trust_anchor,
)
from lab.controlplane.identity.names import control_plane_name, workload_name
from lab.controlplane.model.pods import own_identity
from lab.controlplane.model.world import World
from lab.controlplane.proxy.bootstrap import Identity, Places, bootstrap
from lab.controlplane.proxy.envoy import binary
from lab.controlplane.xds import names
from lab.controlplane.xds.ads import AdsServer, Sources
from lab.controlplane.xds.clusters import Settings
from lab.controlplane.xds.credentials import Files, server_credentials
from lab.controlplane.xds.messages import socket_address
from lab.controlplane.xds.resources import CLUSTER, LISTENER, ResourceSet, resource
from lab.controlplane.xds.snapshot import Snapshot
from lab.controlplane.xds.translate import Proxy, snapshot

Object = dict[str, Any]


def make_world(case: Object) -> World:
    world = World()
    world.set_cluster("", {"trust_domain": "cluster.local", **case.get("settings", {})})
    world.load(case.get("objects") or [])
    for name, objects in (case.get("clusters") or {}).items():
        world.set_cluster(name, {"trust_domain": "cluster.local"})
        world.load(objects, name)
    return world


@pytest.fixture
def world_of() -> Callable[[str], World]:
    """A world from YAML text: documents, or one mapping with `objects`, `clusters` and `settings`."""

    def make(text: str) -> World:
        documents = [d for d in yaml.safe_load_all(text) if d]
        if len(documents) == 1 and "objects" in documents[0]:
            return make_world(documents[0])
        return make_world({"objects": documents})

    return make


class Authority:
    """One trust anchor with one issuer; writes the certificate files of any workload."""

    def __init__(self, root: Path) -> None:
        self._root = root
        now = datetime.now(UTC)
        self.anchor = trust_anchor("root.linkerd.cluster.local", now)
        self._issuer = issuer("identity.linkerd.cluster.local", self.anchor, now)

    def become(self, anchor: Pair, signer: Pair) -> None:
        """Certify by another issuer from now on."""
        self.anchor, self._issuer = anchor, signer

    def certify(self, identity: str, folder: str = "", ago: timedelta = timedelta(0)) -> Path:
        """A certificate of one hour that was issued some time ago, in a folder named by its identity."""
        directory = self._root / (folder or identity)
        directory.mkdir(parents=True, exist_ok=True)
        key = new_key()
        request = check_request(signing_request(key, identity), identity)
        now = datetime.now(UTC) - ago
        chain = sign(request, identity, self._issuer, now, timedelta(hours=1))
        sds.write(sds.Credentials(chain, key_pem(key), self.anchor.certificate), directory)
        return directory


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


PORTS = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """A port to listen at a little later; none that the kernel may give to a client in the meantime, or that
    was given before: two listeners of one Envoy must not have the same."""
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise AssertionError("all ports were given")


@dataclass
class App:
    """An HTTP app that says who it is, counts requests, and answers as told (`first`: the next statuses)."""

    name: str
    port: int
    status: int = 200
    delay: float = 0
    first: list[int] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append({":path": request.path_qs, **{k.lower(): v for k, v in request.headers.items()}})
        await request.read()
        if self.delay:
            await asyncio.sleep(self.delay)
        status = self.first.pop(0) if self.first else self.status
        return web.Response(text=self.name, status=status, headers={"x-app": self.name})


@dataclass
class Bench:
    """A discovery server, Envoys and apps on loopback, all over the same world."""

    world: World
    authority: Authority
    stack: AsyncExitStack
    directory: Path
    outbound_port: int = field(default_factory=free_port)
    apps: dict[str, App] = field(default_factory=dict)
    ads: AdsServer = field(init=False)
    ads_port: int = 0
    admin: dict[str, Path] = field(default_factory=dict)

    async def start(self) -> None:
        self.ads = AdsServer(Sources(self._snapshot, self._identity))
        self.world.on_change = self.ads.changed
        files = Files.under(self.authority.certify(control_plane_name("linkerd-destination")))
        self.ads_port = await self.ads.start("127.0.0.1:0", server_credentials(files))
        running = asyncio.create_task(self.ads.run())
        self.stack.push_async_callback(self.ads.stop)
        self.stack.callback(running.cancel)

    async def app(self, name: str) -> App:
        """Serve an app; its pod's proxy finds it by the pod's name."""
        found = App(name, free_port())
        server = web.Application(client_max_size=1 << 24)
        server.router.add_route("*", "/{path:.*}", found.answer)
        runner = web.AppRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", found.port).start()
        self.stack.push_async_callback(runner.cleanup)
        self.apps[name] = found
        return found

    async def envoy(
        self, pod: str, namespace: str = "shop", role: str = "sidecar", account: str = "default"
    ) -> Any:
        """Start the proxy of a pod and wait until it is ready."""
        place = self.directory / f"{pod}.{namespace}"
        place.mkdir()
        certificates = self.authority.certify(workload_name(account, namespace))
        admin_port = free_port()
        places = Places(
            certificates, place / "admin.sock", place / "metrics.sock", "127.0.0.1", self.ads_port, admin_port
        )
        config = bootstrap(Identity(pod, namespace, account, role), places)
        (place / "bootstrap.json").write_text(json.dumps(config))
        log = (place / "envoy.log").open("wb")
        argv = [str(binary()), "-c", str(place / "bootstrap.json"), "--concurrency", "1"]
        argv += [
            "--disable-hot-restart",
            "-l",
            "warn",
            "--drain-time-s",
            "5",
            "--drain-strategy",
            "immediate",
        ]
        process = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log)
        log.close()

        async def end() -> None:
            if process.returncode is None:
                process.kill()
            await process.wait()

        self.stack.push_async_callback(end)
        self.admin[pod] = place / "admin.sock"

        async def is_ready() -> bool:
            if process.returncode is not None:
                raise AssertionError((place / "envoy.log").read_text())
            async with aiohttp.ClientSession() as session:
                url = f"http://127.0.0.1:{admin_port}/ready"
                async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                    return answer.status == 200

        await until(is_ready, timeout=15, what=f"Envoy of {pod} ready", every=0.02)
        return process

    async def get(self, cluster_ip: str, path: str = "/", **options: Any) -> tuple[int, str]:
        """A request of an app in the outbound proxy's pod; (status, body)."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            url = f"http://{cluster_ip}:{self.outbound_port}{path}"
            async with session.get(url, allow_redirects=False, **options) as answer:
                return answer.status, await answer.text()

    async def stats(self, pod: str, pattern: str) -> str:
        """Statistics of a pod's Envoy."""
        connector = aiohttp.UnixConnector(str(self.admin[pod]))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = "http://localhost/stats?usedonly&filter=" + pattern
            async with session.get(url) as answer:
                return await answer.text()

    def _identity(self, proxy: Proxy) -> str:
        return self.world.graph.get(own_identity, proxy.namespace, proxy.pod)

    def _snapshot(self, proxy: Proxy) -> Snapshot | None:
        pod = self.world.graph.peek(("pod", "", proxy.namespace, proxy.pod))
        if pod is None:
            return None
        account = pod["spec"].get("serviceAccountName") or "default"
        secrets = self.directory / "certificates" / workload_name(account, proxy.namespace)
        found = snapshot(self.world, proxy, Settings(secrets=secrets))
        found.check()
        return self._on_loopback(found, proxy, pod)

    def _on_loopback(self, found: Snapshot, proxy: Proxy, pod: Object) -> Snapshot:
        listeners = []
        for listener in found.of(LISTENER).values():
            message = listener_pb2.Listener()
            listener.body.Unpack(message)
            if message.name == names.OUTBOUND:
                message.address.CopyFrom(socket_address("0.0.0.0", self.outbound_port))
                if proxy.pod != "client":
                    continue
            elif where := pod["metadata"].get("annotations", {}).get("test/listen"):
                host, _, port = where.partition(":")
                message.address.CopyFrom(socket_address(host, int(port)))
            else:
                continue
            listeners.append(resource(message.name, message))
        clusters = []
        for cluster in found.of(CLUSTER).values():
            message = cluster_pb2.Cluster()
            cluster.body.Unpack(message)
            if message.name in (names.LOCAL_HTTP, names.LOCAL_TCP) and proxy.pod in self.apps:
                self._to_app(message, self.apps[proxy.pod].port)
            clusters.append(resource(message.name, message, cluster.pool))
        types = {**found.types, LISTENER: ResourceSet(listeners), CLUSTER: ResourceSet(clusters)}
        return Snapshot(types)

    def _to_app(self, message: Any, port: int) -> None:
        message.type = cluster_pb2.Cluster.STATIC
        message.lb_policy = cluster_pb2.Cluster.ROUND_ROBIN
        message.load_assignment.cluster_name = message.name
        endpoint = message.load_assignment.endpoints.add().lb_endpoints.add().endpoint
        endpoint.address.CopyFrom(socket_address("127.0.0.1", port))


@pytest.fixture
async def bench(
    tmp_path: Path, authority: Authority, world_of: Callable[[str], World]
) -> AsyncIterator[Callable[[str], Any]]:
    """Make a bench over a world given as YAML."""
    if os.geteuid() != 0:
        pytest.skip("the proxy marks its sockets, which needs CAP_NET_ADMIN: run as root")
    async with AsyncExitStack() as stack:

        async def make(text: str) -> Bench:
            found = Bench(world_of(text), authority, stack, tmp_path)
            await found.start()
            return found

        yield make
