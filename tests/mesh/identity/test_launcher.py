"""The sidecar launcher as a process: real Envoy, real identity service, a control plane without content."""

import asyncio
import contextlib
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import grpc
import grpc.aio
import pytest
from cryptography import x509
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from lab.base.errors import LabError
from lab.base.wait import until
from lab.controlplane.identity import sds
from lab.controlplane.identity.certificates import trust_anchor
from lab.controlplane.identity.client import Workload
from lab.controlplane.identity.names import control_plane_name, workload_name
from lab.controlplane.proxy import certificate
from lab.controlplane.proxy.bootstrap import Identity
from lab.controlplane.proxy.launch import Launch, launch_of
from tests.mesh.identity.conftest import Service, free_port


class ControlPlane(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):
    """Answers each subscription with nothing, once it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.nodes: list[str] = []

    async def DeltaAggregatedResources(self, requests, context):  # type: ignore[no-untyped-def]  # noqa: N802
        async for request in requests:
            if request.node.id:
                self.nodes.append(request.node.id)
            if not request.response_nonce:
                await self.may_answer.wait()
                kind = request.type_url
                yield discovery_pb2.DeltaDiscoveryResponse(type_url=kind, nonce="1", system_version_info="1")


@dataclass
class Sidecar:
    """A launched proxy and how to reach its admin port."""

    launch: Launch
    control_plane: ControlPlane
    process: asyncio.subprocess.Process
    http: aiohttp.ClientSession

    @property
    def admin(self) -> str:
        return f"127.0.0.1:{self.launch.places.admin_port}"

    async def ready(self) -> None:
        async def probe() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.http.get(f"http://{self.admin}/ready") as answer:
                    return answer.status == 200
            return False

        await until(probe, timeout=10, what="the proxy is ready", every=0.02)

    def envoy(self) -> int:
        """The pid of the launcher's Envoy."""
        return next(
            pid for pid in self.children() if Path(f"/proc/{pid}/comm").read_text().strip() == "envoy"
        )

    def children(self) -> list[int]:
        parent = self.process.pid
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    async def serial(self, client: Workload) -> str:
        """The serial number of the certificate that 4191 presents to a meshed client."""
        context = ssl.create_default_context(cadata=client.require().roots.decode())
        context.check_hostname = False
        client.load_into(context)
        _, writer = await asyncio.open_connection(*self.admin.split(":"), ssl=context)
        certificate = writer.get_extra_info("peercert")
        writer.close()
        return str(certificate["serialNumber"])


@pytest.fixture
async def sidecar(service: Service, tmp_path: Path) -> AsyncIterator[Sidecar]:
    async with launched(service, tmp_path) as found:
        yield found


@contextlib.asynccontextmanager
async def launched(service: Service, tmp_path: Path, role: str = "sidecar") -> AsyncIterator[Sidecar]:
    destination = service.workload(
        tmp_path / "destination",
        control_plane_name("linkerd-destination"),
        token="linkerd:linkerd-destination",
    )
    own = await destination.obtain()
    plane, server = ControlPlane(), grpc.aio.server()
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(plane, server)
    credentials = grpc.ssl_server_credentials([(own.key, own.certificate)], own.roots, True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    service.workload(tmp_path / "front", token="shop:front")
    environment = {
        "_pod_name": "front-1",
        "_pod_ns": "shop",
        "_pod_sa": "front",
        "LINKERD2_PROXY_ROLE": role,
        "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS": service.anchor.certificate.decode(),
        "LINKERD2_PROXY_IDENTITY_TOKEN_FILE": str(tmp_path / "front" / "token"),
        "LINKERD2_PROXY_IDENTITY_DIR": str(tmp_path / "front"),
        "LINKERD2_PROXY_IDENTITY_SVC_ADDR": f"127.0.0.1:{service.port}",
        "LINKERD2_PROXY_DESTINATION_SVC_ADDR": f"localhost:{port}",
        "LINKERD2_PROXY_ADMIN_LISTEN_ADDR": f"127.0.0.1:{free_port()}",
    }
    process = await launcher(environment)
    async with aiohttp.ClientSession() as http:
        yield Sidecar(launch_of(environment), plane, process, http)
    if process.returncode is None:
        process.kill()
        await process.wait()
    plane.may_answer.set()
    await server.stop(0)


async def launcher(environment: dict[str, str], **pipes: int) -> asyncio.subprocess.Process:
    code = "import sys; from lab.controlplane.proxy.main import main; sys.exit(main([]))"
    merged = {**os.environ, **environment}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=merged, **pipes)


async def test_a_proxy_is_ready_only_after_its_first_configuration(sidecar: Sidecar) -> None:
    plane = sidecar.control_plane

    async def asked() -> bool:
        return bool(plane.nodes)

    await until(asked, timeout=10, what="the proxy asked for its configuration")
    with pytest.raises(aiohttp.ClientConnectionError):
        await sidecar.http.get(f"http://{sidecar.admin}/ready")
    plane.may_answer.set()
    await sidecar.ready()
    assert plane.nodes == ["front-1.shop"]


async def text(sidecar: Sidecar, path: str) -> str:
    async with sidecar.http.get(f"http://{sidecar.admin}{path}") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_metrics_are_served_under_linkerds_names_and_under_envoys(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    certificate = (sidecar.launch.credentials.directory / "cert.pem").read_bytes()
    end = x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()
    metrics = await text(sidecar, "/metrics")
    assert f"identity_cert_expiration_timestamp_seconds {end:.0f}" in metrics
    assert "envoy_" not in metrics
    assert "# TYPE envoy_cluster" in await text(sidecar, "/metrics/envoy")


async def test_many_readers_of_metrics_at_once_are_all_answered_and_leave_no_child(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    answers = await asyncio.gather(*(text(sidecar, "/metrics") for _ in range(8)))
    assert all("identity_cert_expiration" in answer for answer in answers)

    async def only_envoy() -> bool:
        return sidecar.children() == [sidecar.envoy()]

    await until(only_envoy, timeout=5, what="the children are gone", every=0.02)


async def test_a_gateway_that_ends_tells_its_clients_to_go_elsewhere_first(
    service: Service, tmp_path: Path
) -> None:
    """Envoy announces it in its answers while it drains."""
    async with launched(service, tmp_path, role="gateway") as gateway:
        gateway.control_plane.may_answer.set()
        await gateway.ready()
        gateway.process.terminate()

        async def is_told() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with gateway.http.get(f"http://{gateway.admin}/live") as answer:
                    return answer.headers.get("connection") == "close"
            return False

        await until(is_told, timeout=2, what="connection: close", every=0.02)
        assert await gateway.process.wait() == 0


async def test_the_admin_interface_itself_is_not_reachable(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    async with sidecar.http.get(f"http://{sidecar.admin}/config_dump") as answer:
        assert answer.status == 404


async def test_a_renewed_certificate_is_used_without_a_restart(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    workload = Workload(sidecar.launch.credentials)
    await workload.obtain()
    first = await sidecar.serial(workload)
    await workload.obtain()

    async def changed() -> bool:
        return await sidecar.serial(workload) != first

    await until(changed, timeout=5, what="the proxy presents the new certificate")
    assert sidecar.process.returncode is None


async def test_a_certificate_is_renewed_at_once_when_that_is_asked_for_in_the_container(
    sidecar: Sidecar,
) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    file = sidecar.launch.credentials.directory / "cert.pem"
    before = file.read_bytes()
    await certificate.renew(sidecar.launch.places)
    assert file.read_bytes() != before
    assert certificate.judged(sidecar.launch.credentials)["problem"] == ""
    async with sidecar.http.post(f"http://{sidecar.admin}/renew") as answer:
        assert answer.status == 404  # nobody outside asks for it


async def test_a_client_without_a_mesh_certificate_gets_no_tls_session(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    context = ssl.create_default_context(cadata=sidecar.launch.credentials.read_roots().decode())
    context.check_hostname = False
    with pytest.raises(aiohttp.ClientError):
        await sidecar.http.get(f"https://{sidecar.admin}/ready", ssl=context)


async def test_the_launcher_ends_as_its_envoy_ended(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    os.kill(sidecar.envoy(), signal.SIGKILL)
    assert await asyncio.wait_for(sidecar.process.wait(), 5) == 128 + signal.SIGKILL


async def test_a_killed_launcher_takes_its_envoy_along(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    handle = os.pidfd_open(sidecar.envoy())
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, gone.set)
    sidecar.process.kill()
    await asyncio.wait_for(gone.wait(), 5)
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)


async def test_termination_is_a_clean_end(sidecar: Sidecar) -> None:
    sidecar.control_plane.may_answer.set()
    await sidecar.ready()
    sidecar.process.terminate()
    assert await asyncio.wait_for(sidecar.process.wait(), 5) == 0


async def test_termination_before_the_first_certificate_is_a_clean_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token")
    environment = {
        "_pod_name": "front-1",
        "_pod_ns": "shop",
        "_pod_sa": "front",
        "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS": trust_anchor("root", datetime.now(UTC)).certificate.decode(),
        "LINKERD2_PROXY_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "LINKERD2_PROXY_IDENTITY_SVC_ADDR": f"127.0.0.1:{free_port()}",
    }
    process = await launcher(environment, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    assert b"no certificate yet" in await asyncio.wait_for(process.stderr.readline(), 5)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) == 0


def test_a_pod_that_was_not_injected_is_told_what_is_missing() -> None:
    with pytest.raises(LabError, match="_pod_name, _pod_ns, _pod_sa"):
        launch_of({})


def test_the_launcher_reads_what_the_injector_wrote() -> None:
    launch = launch_of(
        {"_pod_name": "gw-1", "_pod_ns": "mc", "_pod_sa": "gw", "LINKERD2_PROXY_ROLE": "gateway"}
    )
    assert launch.identity == Identity("gw-1", "mc", "gw", "gateway")
    assert (launch.credentials.name, launch.places.certificates) == (workload_name("gw", "mc"), sds.DIRECTORY)
