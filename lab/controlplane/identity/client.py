"""A workload's side of identity: ask for a certificate, keep it on disk for Envoy, renew it in time.

Used by the sidecar launcher and by control-plane programs that serve TLS themselves. It keeps the last good
certificate when a renewal fails; deciding what to do when none could be had is the caller's business.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff, pause
from lab.controlplane.identity import sds
from lab.controlplane.identity.certificates import key_pem, lifetime, new_key, signing_request
from lab.controlplane.identity.names import IDENTITY_PORT, control_plane_host, control_plane_name

log = get_logger(__name__)

TOKEN = Path("/var/run/secrets/tokens/linkerd-identity-token")
ROOTS = Path("/var/run/linkerd/identity/trust-roots/ca-bundle.crt")
RENEW_AT = 0.7
RENEW_USELESS = timedelta(minutes=1)
"""Until another try for who was given a certificate that had ended already."""
ROOTS_POLL = 5.0
ANSWER_TIMEOUT = 5.0
LARGEST_ANSWER = 1 << 20
# Linux value of SO_MARK; the socket module has no name for it before Python 3.13.
SO_MARK = 36


class CertifyError(LabError):
    """The identity service refused a request or could not be reached."""


@dataclass(frozen=True)
class Settings:
    """Who the workload is and where it finds what it needs.

    `roots` is a PEM bundle or the file that holds one; `mark` exempts the request from the pod's own capture.
    """

    name: str
    roots: bytes | Path = ROOTS
    token: Path = TOKEN
    directory: Path = sds.DIRECTORY
    host: str = control_plane_host("linkerd-identity")
    port: int = IDENTITY_PORT
    mark: int = 0

    def read_roots(self) -> bytes:
        return self.roots.read_bytes() if isinstance(self.roots, Path) else self.roots


@dataclass
class Workload:
    """One workload's certificate, on disk under `settings.directory` (see sds.py for the files)."""

    settings: Settings
    on_change: Callable[[], None] = lambda: None
    credentials: sds.Credentials | None = None
    _renewed: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))

    async def obtain(self) -> sds.Credentials:
        """Get a certificate for a new key and write all files. Raises CertifyError."""
        settings = self.settings
        key = new_key()
        try:
            token = settings.token.read_text().strip()
            roots = settings.read_roots()
        except OSError as error:
            raise CertifyError(f"cannot read {error.filename}: {error.strerror}") from error
        body = {"token": token, "csr": signing_request(key, settings.name).decode()}
        answer = await _post(settings, roots, body)
        self._renewed = datetime.now(UTC)
        self._keep(sds.Credentials(answer["certificate"].encode(), key_pem(key), roots))
        return self.require()

    async def obtain_eventually(self) -> sds.Credentials:
        """Like obtain(), trying until it succeeds; each failure is logged."""
        backoff = Backoff(0.05, 5)
        while True:
            try:
                return await self.obtain()
            except CertifyError as error:
                log.warning("no certificate yet", name=self.settings.name, error=error)
            await backoff.pause()

    async def run(self) -> None:
        """Renew for ever; also rewrite the files when the trust roots change on disk."""
        backoff = Backoff(1, 60)
        failed_until = self._renewed
        while True:
            now = datetime.now(UTC)
            due = max(self.renew_at(), failed_until)
            await pause(min(max((due - now).total_seconds(), 0.0), ROOTS_POLL))
            self.follow_roots()
            if datetime.now(UTC) < due:
                continue
            try:
                await self.obtain()
                backoff.reset()
                log.info("certificate renewed", name=self.settings.name)
            except CertifyError as error:
                log.warning("renewal failed", name=self.settings.name, error=error)
                await backoff.pause()

    def renew_at(self) -> datetime:
        """When 70 % of the certificate's life is over."""
        start, end = lifetime(self.require().certificate)
        start = max(start, self._renewed)
        if end <= start:
            return start + RENEW_USELESS
        return start + (end - start) * RENEW_AT

    def require(self) -> sds.Credentials:
        if self.credentials is None:
            raise CertifyError(f"{self.settings.name} has no certificate yet")
        return self.credentials

    def server_context(self) -> ssl.SSLContext:
        """TLS for a server with this identity that requires a mesh certificate of its clients.

        The context holds the pair of the moment: build a new one from `on_change`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.load_into(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.require().roots.decode())
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Put the current pair into a context; connections made from now on use it."""
        self.require()
        context.load_cert_chain(self.settings.directory / "cert.pem", self.settings.directory / "key.pem")

    def follow_roots(self) -> None:
        """Rewrite the files if the trust roots on disk are new."""
        current = self.require()
        try:
            roots = self.settings.read_roots()
        except OSError as error:
            log.warning(
                "trust roots unreadable, keeping the old ones", file=error.filename, error=error.strerror
            )
            return
        if roots != current.roots:
            log.info("trust roots changed", name=self.settings.name)
            self._keep(sds.Credentials(current.certificate, current.key, roots))

    def _keep(self, credentials: sds.Credentials) -> None:
        sds.write(credentials, self.settings.directory)
        self.credentials = credentials
        self.on_change()


async def _post(settings: Settings, roots: bytes, body: dict[str, str]) -> dict[str, Any]:
    """One HTTP/1.1 request over streams: a sidecar is too small for a client library."""
    payload = json.dumps(body).encode()
    head = (
        f"POST /v1/certify HTTP/1.1\r\nHost: {settings.host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
    )
    where = f"identity service {settings.host}:{settings.port}"
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await _connect(settings, roots)
            try:
                writer.write(head.encode() + payload)
                answer = await reader.read(LARGEST_ANSWER)
                while chunk := await reader.read(LARGEST_ANSWER):
                    answer += chunk
            finally:
                writer.close()
    except TimeoutError as error:
        raise CertifyError(f"{where} did not answer within {ANSWER_TIMEOUT:g} s") from error
    except OSError as error:
        raise CertifyError(f"{where} cannot be reached: {error}") from error
    header, _, text = answer.partition(b"\r\n\r\n")
    parts = header.split(b" ", 2)
    if len(parts) < 2 or parts[1] != b"200":
        said = text.decode(errors="replace").strip() or "nothing"
        raise CertifyError(f"{where} refused {settings.name}: {said}")
    decoded: dict[str, Any] = json.loads(text)
    return decoded


async def _connect(settings: Settings, roots: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (
        await loop.getaddrinfo(settings.host, settings.port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    )[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setblocking(False)
        if settings.mark:
            connection.setsockopt(socket.SOL_SOCKET, SO_MARK, settings.mark)
        await loop.sock_connect(connection, address)
        context = ssl.create_default_context(cadata=roots.decode())
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        name = control_plane_name("linkerd-identity")
        return await asyncio.open_connection(sock=connection, ssl=context, server_hostname=name)
    except BaseException:
        connection.close()
        raise
