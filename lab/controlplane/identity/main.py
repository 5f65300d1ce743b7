"""Program `identity`: the certificate authority of one cluster's mesh (ports 8080 certify, 9990 admin).

It follows the issuer Secret, so a new issuer takes effect without a restart; a bad one is refused with
an Event and the last good one stays in use, until the trust roots change: anchors and issuer of a rotation
arrive in either order.
"""

import argparse
import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from lab.base.log import get_logger, setup
from lab.base.wait import pause
from lab.controlplane import admin, events
from lab.controlplane.identity import server
from lab.controlplane.identity.authority import Authority, BadIssuer, issuer_of
from lab.controlplane.identity.client import ROOTS, ROOTS_POLL
from lab.controlplane.identity.names import LINKERD_NAMESPACE
from lab.controlplane.lifecycle import until_terminated
from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import CERTIFICATE_FAULTS, SECRETS
from lab.kube.objects import Object
from lab.kube.watch import Scope, watch

log = get_logger(__name__)

COMPONENT = "linkerd-identity"
ISSUER_SECRET = "linkerd-identity-issuer"


@dataclass
class Identity:
    """The running program's parts."""

    client: Client
    authority: Authority
    roots: Path
    metrics: admin.Metrics = field(default_factory=admin.Metrics)
    context: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    why_not_ready: str = "the issuer Secret has not been read yet"
    secret: Object | None = None

    async def follow_issuer(self) -> None:
        """Load the issuer whenever its Secret changes."""
        scope = Scope(SECRETS, LINKERD_NAMESPACE, fields=f"metadata.name={ISSUER_SECRET}")
        async for seen in watch(self.client, scope):
            if seen.type in ("ADDED", "MODIFIED"):
                self.secret = seen.object
                await self._load(seen.object)
            elif seen.type == "DELETED":
                log.warning("issuer Secret deleted, keeping the last issuer", secret=ISSUER_SECRET)

    async def follow_roots(self, every: float = ROOTS_POLL) -> None:
        """Judge the issuer Secret again when the trust roots on disk have changed."""
        seen = _content(self.roots)
        while True:
            await pause(every)
            now = _content(self.roots)
            if now and now != seen:
                seen = now
                log.info("trust roots changed")
                if self.secret:
                    await self._load(self.secret)

    async def renew_own_certificate(self, every: timedelta) -> None:
        while True:
            await pause(every.total_seconds())
            if self.authority.issuer:
                server.load_own_certificate(self.authority, self.context)

    async def _load(self, secret: Object) -> None:
        try:
            issuer = issuer_of(secret, self.roots.read_bytes())
        except (BadIssuer, OSError) as error:
            log.error("issuer refused", error=error)
            if self.authority.issuer is None:
                self.why_not_ready = str(error)
            await self._tell(secret, "IssuerUpdateFailed", str(error), kind="Warning")
            return
        first = self.authority.issuer is None
        if self.authority.issuer == issuer:
            return
        self.authority.issuer = issuer
        server.load_own_certificate(self.authority, self.context)
        self.why_not_ready = ""
        self.metrics.set("identity_issuer_expiry_seconds", issuer.parsed().not_valid_after_utc.timestamp())
        log.info("issuer loaded", until=issuer.parsed().not_valid_after_utc.isoformat())
        if not first:
            await self._tell(secret, "IssuerUpdated", "the identity issuer was replaced")

    async def _tell(self, secret: Object, reason: str, message: str, *, kind: str = "Normal") -> None:
        about = {"apiVersion": "v1", "kind": "Secret", **secret}
        await events.record(self.client, events.event(about, COMPONENT, reason, message, kind=kind))


def _content(file: Path) -> bytes:
    """What the file holds; nothing while it is being replaced."""
    try:
        return file.read_bytes()
    except OSError as error:
        log.warning("trust roots unreadable", file=error.filename, error=error.strerror)
        return b""


async def _run(options: argparse.Namespace) -> None:
    life = timedelta(seconds=options.issuance_lifetime)
    async with await Client.in_cluster() as client:
        identity = Identity(client, Authority(client, life=life), options.trust_roots)
        faults = Informer(client, CERTIFICATE_FAULTS)
        identity.authority.faults = faults.list
        identity.metrics.declare(
            "identity_issuer_expiry_seconds", "gauge", "Unix time at which the issuer expires."
        )
        app = server.application(identity.authority, identity.metrics)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        ready = admin.application(identity.metrics, lambda: identity.why_not_ready)
        admin_runner = await admin.serve(ready, options.admin_port)
        try:
            await web.TCPSite(
                runner, None, options.port, ssl_context=identity.context, reuse_address=True
            ).start()
            await until_terminated(
                identity.follow_issuer(),
                identity.follow_roots(),
                identity.renew_own_certificate(life / 3),
                faults.run(),
            )
        finally:
            await runner.cleanup()
            await admin_runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="identity", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--admin-port", type=int, default=9990)
    parser.add_argument(
        "--issuance-lifetime", type=float, default=86400, help="life of a certificate, seconds"
    )
    parser.add_argument("--trust-roots", type=Path, default=ROOTS)
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
