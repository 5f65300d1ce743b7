"""A served identity authority; only the API server's token review is scripted."""

import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab.controlplane.admin import Metrics
from lab.controlplane.identity import certificates, server
from lab.controlplane.identity.authority import Authority
from lab.controlplane.identity.client import Settings, Workload
from lab.controlplane.identity.names import TOKEN_AUDIENCE, workload_name

NAME = workload_name("front", "shop")


@dataclass
class Reviews:
    """Stands for the API server: says what the next token review answers, and knows pods."""

    status: dict[str, Any] = field(
        default_factory=lambda: {
            "authenticated": True,
            "audiences": [TOKEN_AUDIENCE],
            "user": {"username": "system:serviceaccount:shop:front"},
        }
    )

    pods: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    async def get(self, kind: object, name: str, namespace: str) -> dict[str, Any]:
        return self.pods[namespace, name]

    async def create(self, kind: object, obj: dict[str, Any]) -> dict[str, Any]:
        token = obj["spec"]["token"]
        user = {"user": {"username": f"system:serviceaccount:{token}"}} if ":" in token else {}
        return {**obj, "status": {**self.status, **user}}


@dataclass
class Service:
    """A served authority and what a workload needs to reach it."""

    authority: Authority
    reviews: Reviews
    anchor: certificates.Pair
    port: int

    def workload(self, folder: Path, name: str = NAME, token: str = "a token") -> Workload:
        """A client; a token `namespace:account` speaks for that service account."""
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(token)
        (folder / "roots.pem").write_bytes(self.anchor.certificate)
        places = {"token": folder / "token", "directory": folder / "files", "roots": folder / "roots.pem"}
        return Workload(Settings(name=name, host="127.0.0.1", port=self.port, **places))


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    now = datetime.now(UTC)
    anchor = certificates.trust_anchor("root", now)
    reviews = Reviews()
    authority = Authority(reviews, life=timedelta(hours=24))  # type: ignore[arg-type]
    authority.issuer = certificates.issuer("identity", anchor, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_own_certificate(authority, context)
    runner = web.AppRunner(server.application(authority, Metrics()))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield Service(authority, reviews, anchor, runner.addresses[0][1])
    await runner.cleanup()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
