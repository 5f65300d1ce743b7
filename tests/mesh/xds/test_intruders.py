"""Clients that should get nowhere, at the real listeners of a sidecar and of a gateway."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lab.base.wait import until
from lab.controlplane.identity.names import workload_name
from tests.mesh.xds.conftest import Authority
from tests.mesh.xds.test_gateway_traffic import GATEWAY_ID, MIRROR, through_gateway
from tests.mesh.xds.test_policy import allow, policy, server
from tests.mesh.xds.test_traffic import ECHO

SIDECAR, GATEWAY = ("127.0.2.1", 9000), ("127.0.3.1", 9443)
WEB = workload_name("web", "shop")
TURNED_AWAY = (aiohttp.ClientError, ConnectionError, ssl.SSLError)


def presenting(certificate: Path | None) -> ssl.SSLContext:
    """A client that trusts whoever answers and presents a certificate, or none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    if certificate:
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


async def ask(where: tuple[str, int], context: ssl.SSLContext | bool, authority: str) -> int:
    scheme = "https" if context else "http"
    headers = {"l5d-dst-authority": authority, "l5d-client-id": WEB}
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{scheme}://{where[0]}:{where[1]}/", headers=headers, ssl=context) as answer,
    ):
        return answer.status


@pytest.fixture
async def guarded(bench: Any) -> Any:
    """A gateway and a sidecar that let in nobody without a certificate; the sidecar only `web`, by name."""
    found = await through_gateway(bench)
    found.world.load([server(port=9000, proxyProtocol="HTTP/1"), allow(("ServiceAccount", "web"))])

    async def is_refused() -> bool:
        return (await found.get(MIRROR))[0] == 403

    await until(is_refused, timeout=5, what="the policy", every=0.02)
    return found


@pytest.mark.parametrize("where", [SIDECAR, GATEWAY], ids=["sidecar", "gateway"])
@pytest.mark.parametrize("kind", ["none", "other-root", "expired", "not-yet-valid"])
async def test_a_client_without_a_good_certificate_is_not_spoken_to(
    guarded: Any, tmp_path: Path, where: tuple[str, int], kind: str
) -> None:
    certificate = {
        "none": lambda: None,
        "other-root": lambda: Authority(tmp_path / "stranger").certify(WEB),
        "expired": lambda: guarded.authority.certify(WEB, "expired", timedelta(hours=2)),
        "not-yet-valid": lambda: guarded.authority.certify(WEB, "early", timedelta(hours=-2)),
    }[kind]()
    authority = f"echo.shop.svc.cluster.local:{guarded.outbound_port}"
    seen = len(guarded.apps["one"].seen)
    with pytest.raises(TURNED_AWAY):
        await ask(where, presenting(certificate), authority)
    assert len(guarded.apps["one"].seen) == seen


@pytest.mark.parametrize("where", [SIDECAR, GATEWAY], ids=["sidecar", "gateway"])
async def test_the_same_client_is_let_in_with_its_own_certificate(
    guarded: Any, where: tuple[str, int]
) -> None:
    """Or the tests above would prove nothing."""
    guarded.world.load([policy("MeshTLSAuthentication", "gw", identities=[GATEWAY_ID])])
    guarded.world.load(
        [allow(("MeshTLSAuthentication", "gw"), target=("Namespace", "shop"))]  # besides that for `web`
    )
    context = presenting(guarded.authority.certify(WEB, "right"))
    authority = f"echo.shop.svc.cluster.local:{guarded.outbound_port}"

    async def is_let_in() -> bool:
        return await ask(where, context, authority) == 200

    await until(is_let_in, timeout=5, what="the client is let in", every=0.02)


async def test_a_client_with_another_identity_is_refused_whatever_it_claims(guarded: Any) -> None:
    other = presenting(guarded.authority.certify(workload_name("other", "shop")))
    assert await ask(SIDECAR, other, "") == 403


async def test_plaintext_is_refused_by_the_sidecar_and_not_spoken_to_by_the_gateway(guarded: Any) -> None:
    assert await ask(SIDECAR, False, "") == 403
    with pytest.raises(TURNED_AWAY):
        await ask(GATEWAY, False, f"echo.shop.svc.cluster.local:{guarded.outbound_port}")


async def test_the_gateways_own_policy_refuses_clients_at_the_gateway(bench: Any) -> None:
    found = await through_gateway(bench)
    assert (await found.get(MIRROR))[0] == 200
    gateway = server(podSelector={}, port=4143)
    gateway["metadata"]["name"] = "gateway"
    found.world.load([gateway])

    async def is_refused() -> bool:
        return (await found.get(MIRROR))[0] == 403

    await until(is_refused, timeout=5, what="refused at the gateway", every=0.02)
    seen = len(found.apps["one"].seen)
    assert (await found.get(MIRROR))[0] == 403
    assert len(found.apps["one"].seen) == seen


async def test_a_policy_for_one_client_works_in_flat_mode_and_cannot_through_a_gateway(guarded: Any) -> None:
    """The target sees the gateway, not the client: who is let in is the gateway or nobody."""
    assert await guarded.get(ECHO) == (200, "one")
    assert (await guarded.get(MIRROR))[0] == 403
    guarded.world.load([policy("MeshTLSAuthentication", "gw", identities=[GATEWAY_ID])])
    through = allow(("MeshTLSAuthentication", "gw"))
    through["metadata"]["name"] = "gw"
    guarded.world.load([through])

    async def is_let_in() -> bool:
        return (await guarded.get(MIRROR))[0] == 200

    await until(is_let_in, timeout=5, what="the gateway is let in", every=0.02)
