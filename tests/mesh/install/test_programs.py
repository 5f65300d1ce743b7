"""Identity and injector against a real API server, with the rights their manifests give them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509

from lab.base.state import LabDir
from lab.base.wait import until
from lab.controlplane.admin import Metrics
from lab.controlplane.identity import server
from lab.controlplane.identity.authority import Authority
from lab.controlplane.identity.certificates import (
    Pair,
    check_request,
    key_pem,
    new_key,
    sign,
    signing_request,
)
from lab.controlplane.identity.client import CertifyError, Settings, Workload
from lab.controlplane.identity.main import Identity
from lab.controlplane.identity.names import TOKEN_AUDIENCE, workload_name
from lab.controlplane.inject.webhook import Injector, application
from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import EVENTS, MUTATING_WEBHOOKS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS
from lab.mesh.builtin import manifests
from lab.mesh.builtin.apply import kind
from lab.mesh.builtin.control_plane import encoded, issuer_secret
from lab.mesh.builtin.mesh import BuiltinMesh
from lab.mesh.protocol import MeshCluster
from lab.mesh.trust import lab_anchor, new_issuer
from tests.mesh.clusters import token_client

Object = dict[str, Any]


@pytest.fixture
def lab(tmp_path: Path) -> LabDir:
    return LabDir(tmp_path / "lab")


@pytest.fixture
async def installed(cluster: MeshCluster, lab: LabDir) -> MeshCluster:
    await BuiltinMesh(lab).install(cluster)
    await cluster.client.delete(MUTATING_WEBHOOKS, "linkerd-proxy-injector-webhook-config")
    return cluster


async def token(cluster: MeshCluster, name: str, namespace: str, audience: str = "") -> str:
    body: Object = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": name},
    }
    body["spec"] = {"expirationSeconds": 3600, **({"audiences": [audience]} if audience else {})}
    answer = await cluster.client.create(SERVICE_ACCOUNTS, body, namespace, sub="token")
    return str(answer["status"]["token"])


@contextlib.asynccontextmanager
async def program(cluster: MeshCluster, name: str) -> AsyncIterator[Client]:
    """A client with the rights of one of the control plane's service accounts."""
    client = await token_client(cluster, await token(cluster, name, "linkerd"))
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def identity(installed: MeshCluster, lab: LabDir) -> AsyncIterator[tuple[Identity, int]]:
    """The identity program's parts at work, and the port it serves on."""
    roots = lab.pki / "trust-anchor.crt"
    async with program(installed, "linkerd-identity") as client:
        found = Identity(client, Authority(client), roots)
        following = asyncio.gather(found.follow_issuer(), found.follow_roots(every=0.05))
        runner = web.AppRunner(server.application(found.authority, Metrics()))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=found.context).start()

        async def loaded() -> bool:
            return not found.why_not_ready

        await until(loaded, timeout=8, what="identity is ready")
        yield found, runner.addresses[0][1]
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await runner.cleanup()


def workload(folder: Path, lab: LabDir, port: int, shown: str) -> Workload:
    (folder / "token").write_text(shown)
    return Workload(
        Settings(
            name=workload_name("default", "default"),
            roots=lab_anchor(lab).certificate,
            token=folder / "token",
            directory=folder / "files",
            host="127.0.0.1",
            port=port,
        )
    )


async def test_a_real_service_account_token_gets_its_identity(
    installed: MeshCluster, identity: tuple[Identity, int], lab: LabDir, tmp_path: Path
) -> None:
    shown = await token(installed, "default", "default", TOKEN_AUDIENCE)
    credentials = await workload(tmp_path, lab, identity[1], shown).obtain()
    leaf = x509.load_pem_x509_certificate(credentials.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [workload_name("default", "default")]


async def test_a_token_for_the_api_server_gets_no_identity(
    installed: MeshCluster, identity: tuple[Identity, int], lab: LabDir, tmp_path: Path
) -> None:
    shown = await token(installed, "default", "default")
    with pytest.raises(CertifyError, match="the token is not"):
        await workload(tmp_path, lab, identity[1], shown).obtain()


async def test_a_new_issuer_is_used_without_a_restart(
    installed: MeshCluster, identity: tuple[Identity, int], lab: LabDir
) -> None:
    issuer = new_issuer(lab_anchor(lab))
    await installed.client.apply(SECRETS, issuer_secret(issuer), manager="test")

    async def replaced() -> bool:
        return identity[0].authority.issuer == issuer

    await until(replaced, timeout=8, what="the new issuer is loaded")


async def test_a_bad_issuer_is_refused_with_an_event_and_the_old_one_stays(
    installed: MeshCluster, identity: tuple[Identity, int], tmp_path: Path
) -> None:
    before = identity[0].authority.issuer
    foreign = new_issuer(lab_anchor(LabDir(tmp_path / "other")))
    await installed.client.apply(SECRETS, issuer_secret(foreign), manager="test")

    async def told() -> list[Object]:
        return [
            e for e in await installed.client.list(EVENTS, "linkerd") if e["reason"] == "IssuerUpdateFailed"
        ]

    events = await until(told, timeout=8, what="an Event tells of the bad issuer")
    assert ("not signed by" in events[0]["message"], identity[0].authority.issuer) == (True, before)


async def test_a_refused_issuer_is_used_once_its_anchor_is_trusted(
    installed: MeshCluster, identity: tuple[Identity, int], lab: LabDir, tmp_path: Path
) -> None:
    anchor = lab_anchor(LabDir(tmp_path / "new"))
    issuer = new_issuer(anchor)
    await installed.client.apply(SECRETS, issuer_secret(issuer), manager="test")

    async def told() -> bool:
        events = await installed.client.list(EVENTS, "linkerd")
        return any(e["reason"] == "IssuerUpdateFailed" for e in events)

    await until(told, timeout=8, what="the issuer is refused")
    with (lab.pki / "trust-anchor.crt").open("ab") as bundle:
        bundle.write(anchor.certificate)

    async def is_used() -> bool:
        return identity[0].authority.issuer == issuer

    await until(is_used, timeout=8, what="the new issuer is used")


def webhook_certificate(anchor: Pair, folder: Path) -> ssl.SSLContext:
    """TLS for a webhook that is reached as `localhost`."""
    key = new_key()
    request = check_request(signing_request(key, "localhost"), "localhost")
    chain = sign(request, "localhost", anchor, datetime.now(UTC), timedelta(hours=1))
    (folder / "pair.pem").write_bytes(key_pem(key) + chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    return context


def webhook_configuration(port: int, anchor: Pair) -> Object:
    """The shipped configuration, with a URL in place of the Service, which needs a node to be reached."""
    shipped = next(o for o in manifests.documents("linkerd") if kind(o) == MUTATING_WEBHOOKS)
    config = {"url": f"https://localhost:{port}/", "caBundle": encoded(anchor.certificate)}
    return {**shipped, "webhooks": [{**hook, "clientConfig": config} for hook in shipped["webhooks"]]}


async def test_the_api_server_has_a_pod_of_a_meshed_namespace_injected(
    installed: MeshCluster, lab: LabDir, tmp_path: Path
) -> None:
    anchor = lab_anchor(lab)
    meta = {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}}
    await installed.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "front", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "multicluster.lab/apps"}]},
    }
    async with program(installed, "linkerd-proxy-injector") as client:
        injector = Injector(client, Informer(client, NAMESPACES), lab.pki / "trust-anchor.crt", "latest")
        runner = web.AppRunner(application(injector))
        await runner.setup()
        context = webhook_certificate(anchor, tmp_path)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port = runner.addresses[0][1]
        await installed.client.create(MUTATING_WEBHOOKS, webhook_configuration(port, anchor))
        made = await installed.client.create(PODS, pod)
        await runner.cleanup()
    assert [c["name"] for c in made["spec"]["initContainers"]] == ["linkerd-init", "linkerd-proxy"]
