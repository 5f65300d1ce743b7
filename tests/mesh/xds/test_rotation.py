"""Certificates, issuers and trust anchors are replaced while requests run, and none of them fails."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

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
from tests.mesh.xds.test_traffic import ECHO, pod, service, slices

WORKLOADS = (
    workload_name("web", "shop"),
    workload_name("default", "shop"),
    control_plane_name("linkerd-destination"),
)


def new_anchor() -> Pair:
    return trust_anchor("root.linkerd.cluster.local", datetime.now(UTC))


def issuer_of(anchor: Pair) -> Pair:
    return issuer("identity.linkerd.cluster.local", anchor, datetime.now(UTC))


def renew(folder: Path, by: Pair, *roots: Pair, names: tuple[str, ...] = WORKLOADS) -> None:
    """New keys and certificates for workloads, which from now on trust these roots."""
    bundle = b"".join(root.certificate for root in roots)
    for name in names:
        key = new_key()
        request = check_request(signing_request(key, name), name)
        chain = sign(request, name, by, datetime.now(UTC), timedelta(hours=1))
        sds.write(sds.Credentials(chain, key_pem(key), bundle), folder / name)


@dataclass
class Load:
    """Requests, each over connections of its own all the way (the port is opaque), until stopped."""

    get: Callable[[], Any]
    answered: int = 0
    failed: list[str] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            try:
                status, _ = await self.get()
                self.answered += 1
                self.failed += [] if status == 200 else [str(status)]
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failed.append(repr(error))

    async def more(self, count: int = 40) -> None:
        """Wait until so many more requests were answered: whatever changed before has been put to use."""
        wanted = self.answered + count

        async def are_answered() -> bool:
            return self.answered >= wanted or bool(self.failed)

        await until(are_answered, timeout=20, what="more answers", every=0.02)


@dataclass
class Mesh:
    """A client and a server under one anchor, with a load between them."""

    bench: Any
    folder: Path
    anchor: Pair
    load: Load

    async def renewed(self, by: Pair, *roots: Pair) -> None:
        """Renew everybody, wait until the server presents its new certificate, and for more requests."""
        before = await self.serials()
        renew(self.folder, by, *roots)

        async def are_new() -> bool:
            now = await self.serials()
            return bool(now) and not now & before

        await until(are_new, timeout=10, what="the new certificates in use", every=0.02)
        await self.load.more()

    async def serials(self) -> set[str]:
        """Serial numbers of the leaf certificates that the server's proxy holds."""
        connector = aiohttp.UnixConnector(str(self.bench.admin["one"]))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://localhost/certs") as answer,
        ):
            certificates = (await answer.json())["certificates"]
        return {group["cert_chain"][0]["serial_number"] for group in certificates if group.get("cert_chain")}


async def opaque(bench: Any) -> Any:
    """A client, and a server behind a port that carries bytes: each request has connections of its own."""
    found = await bench("objects: []")
    await found.app("one")
    notes = {"config.linkerd.io/opaque-ports": f"9000,{found.outbound_port}"}
    found.world.load(
        [
            pod("client", account="web"),
            pod("one", "127.0.2.1:9000", **notes),
            service("echo", ECHO, found.outbound_port, **notes),
            slices("echo", 9000, one="127.0.2.1"),
        ]
    )
    await asyncio.gather(found.envoy("client", account="web"), found.envoy("one"))
    return found


@pytest.fixture
async def mesh(bench: Any) -> Any:
    found = await opaque(bench)
    load = Load(lambda: found.get(ECHO))
    running = asyncio.create_task(load.run())
    anchor = found.authority.anchor
    yield Mesh(found, found.directory / "certificates", anchor, load)
    running.cancel()
    assert load.answered > 40
    assert load.failed == []


async def test_workload_certificates_are_renewed_under_load(mesh: Mesh) -> None:
    signer = issuer_of(mesh.anchor)
    for _ in range(3):
        await mesh.renewed(signer, mesh.anchor)


async def test_an_issuer_is_replaced_under_load(mesh: Mesh) -> None:
    """The server first, then the client: for a while each has its certificate from another issuer."""
    for name in reversed(WORKLOADS):
        renew(mesh.folder, issuer_of(mesh.anchor), mesh.anchor, names=(name,))
        await mesh.load.more()


async def test_the_trust_anchor_is_replaced_under_load_in_three_steps(mesh: Mesh) -> None:
    """Both anchors are trusted, then certificates are of the new one, then only that is trusted."""
    new = new_anchor()
    old_issuer, new_issuer = issuer_of(mesh.anchor), issuer_of(new)
    steps = ((old_issuer, (mesh.anchor, new)), (new_issuer, (mesh.anchor, new)), (new_issuer, (new,)))
    for signer, roots in steps:
        await mesh.renewed(signer, *roots)
    late = pod("late", "127.0.2.2:9000")
    mesh.bench.world.load([late])
    mesh.bench.authority.become(new, new_issuer)
    await mesh.bench.envoy("late")  # a proxy that knows the new anchor only is told what it needs


async def test_a_client_of_another_anchor_is_not_heard(bench: Any) -> None:
    """What the steps above are for."""
    found = await opaque(bench)
    assert (await found.get(ECHO))[0] == 200
    stranger = new_anchor()
    renew(found.directory / "certificates", issuer_of(stranger), stranger, names=WORKLOADS[:1])

    async def is_refused() -> bool:
        try:
            return (await found.get(ECHO))[0] != 200
        except aiohttp.ClientError:
            return True

    await until(is_refused, timeout=10, what="the stranger is refused", every=0.05)
    seen = len(found.apps["one"].seen)
    with pytest.raises(aiohttp.ClientError):
        await found.get(ECHO)
    assert len(found.apps["one"].seen) == seen
