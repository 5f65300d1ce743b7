"""How one request is made, by scheme: http, grpc and tcp. Each keeps its connections between requests.

A sender reports what came back and never raises for a request that failed; the generator times and
records it. gRPC is imported only when a target wants it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import aiohttp

from lab.apps.lines import LineClient
from lab.apps.loadgen.targets import Target

ERROR_CLASSES: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ServerDisconnectedError, "reset"),
    (ConnectionRefusedError, "connect"),
    (OSError, "reset"),
    (aiohttp.ClientPayloadError, "reset"),
    (aiohttp.ClientError, "protocol"),
)


@dataclass(frozen=True)
class Answer:
    """`status` is the HTTP status; 200 stands for gRPC OK and for a line over TCP, 0 for no answer."""

    status: int = 0
    error: str = ""
    body: dict[str, Any] = field(default_factory=dict)


class Sender(Protocol):
    async def send(self, timeout: float) -> Answer: ...

    async def close(self) -> None: ...


def error_class(error: BaseException) -> str:
    return next(name for kind, name in ERROR_CLASSES if isinstance(error, kind))


def sender(target: Target, session: aiohttp.ClientSession) -> Sender:
    """The sender for a target's scheme."""
    url = urlsplit(target.url)
    make: dict[str, Callable[[], Sender]] = {
        "http": lambda: HttpSender(target, session),
        "grpc": lambda: GrpcSender(url),
        "tcp": lambda: TcpSender(url),
    }
    return make[url.scheme]()


class HttpSender:
    """GETs over the session's pool of kept connections."""

    def __init__(self, target: Target, session: aiohttp.ClientSession) -> None:
        self._target, self._session = target, session

    async def send(self, timeout: float) -> Answer:
        target = self._target
        try:
            request = self._session.request(
                target.method,
                target.url,
                headers=target.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            )
            async with request as response:
                failed = f"http-{response.status}" if response.status >= 400 else ""
                return Answer(response.status, failed, fields(await response.read()))
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            return Answer(error=error_class(error))

    async def close(self) -> None:
        """The session belongs to the generator."""


class GrpcSender:
    """Unary calls on one channel: the URL's path names the method, the demo apps have a default."""

    def __init__(self, url: SplitResult) -> None:
        import grpc.aio

        from lab.apps import rpc

        self._error, self._call = grpc.aio.AioRpcError, rpc.call
        self._channel = rpc.connect(url.netloc)
        self._method = url.path if url.path.count("/") == 2 else rpc.DEFAULT

    async def send(self, timeout: float) -> Answer:
        try:
            return Answer(200, body=await self._call(self._channel, self._method, {}, timeout))
        except self._error as error:
            name = error.code().name
            return Answer(error="timeout" if name == "DEADLINE_EXCEEDED" else f"grpc-{name}")

    async def close(self) -> None:
        await self._channel.close(None)


class TcpSender:
    """One line there, one line back, over kept connections."""

    def __init__(self, url: SplitResult) -> None:
        self._client = LineClient(url.netloc)

    async def send(self, timeout: float) -> Answer:
        try:
            return Answer(200, body=fields((await self._client.ask("tea", timeout)).encode()))
        except (TimeoutError, OSError) as error:
            return Answer(error=error_class(error))

    async def close(self) -> None:
        self._client.close()


def fields(raw: bytes) -> dict[str, Any]:
    """The answer as an object; empty when it is no demo app's."""
    if not raw.startswith(b"{"):
        return {}
    try:
        body: dict[str, Any] = json.loads(raw)
    except ValueError:
        return {}  # nothing to learn beyond the status
    return body
