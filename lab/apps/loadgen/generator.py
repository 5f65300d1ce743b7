"""Sends requests on a fixed schedule, whatever the answers do (open loop), and records each.

One task per target walks the schedule `start + n / rate`. A request that finds too many in flight is
recorded as an overflow error instead of waiting. If the whole program was stopped (its cluster was
paused), the slots missed are skipped and counted: no load was offered then, so there is nothing to judge.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from lab.apps.loadgen.records import Record, Ring
from lab.apps.loadgen.targets import Target
from lab.base import wait

MAX_IN_FLIGHT = 512
STALL = 2.0
ERROR_CLASSES: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ServerDisconnectedError, "reset"),
    (OSError, "reset"),
    (aiohttp.ClientPayloadError, "reset"),
    (aiohttp.ClientError, "protocol"),
)


def error_class(error: BaseException) -> str:
    return next(name for kind, name in ERROR_CLASSES if isinstance(error, kind))


class Generator:
    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.targets: tuple[Target, ...] = ()
        self.skipped: dict[str, int] = {}
        self.since: dict[str, float] = {}
        """Unix time since which each target has been offered load unchanged."""
        self._in_flight: dict[str, set[asyncio.Task[None]]] = {}
        self._schedules: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=5)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        stack.push_async_callback(self._close)

    async def _close(self) -> None:
        tasks = [*self._schedules.values(), *(task for tasks in self._in_flight.values() for task in tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def use(self, targets: Iterable[Target]) -> None:
        """Make `targets` the set; schedules of unchanged targets go on without a gap."""
        wanted = {target.name: target for target in targets}
        current = {target.name: target for target in self.targets}
        for name in [name for name in current if wanted.get(name) != current[name]]:
            self._schedules.pop(name).cancel()
        for name in [name for name in wanted if wanted[name] != current.get(name)]:
            self.since[name] = time.time()
            self.skipped[name] = 0
            self._in_flight.setdefault(name, set())
            self._schedules[name] = asyncio.create_task(self._offer(wanted[name]))
        self.targets = tuple(wanted.values())

    def in_flight(self, name: str) -> int:
        return len(self._in_flight.get(name, ()))

    async def _offer(self, target: Target) -> None:
        period = 1 / target.rate
        due = time.monotonic()
        while True:
            lag = time.monotonic() - due
            if lag < 0:
                await wait.pause(-lag)
                continue
            if lag > STALL:
                missed = int(lag / period)
                self.skipped[target.name] += missed
                due += missed * period
            self._start(target, due)
            due += period

    def _start(self, target: Target, due: float) -> None:
        flying = self._in_flight[target.name]
        if len(flying) >= MAX_IN_FLIGHT:
            self._record(target, due, error="overflow")
            return
        task = asyncio.create_task(self._send(target, due))
        flying.add(task)
        task.add_done_callback(flying.discard)

    async def _send(self, target: Target, due: float) -> None:
        assert self._session is not None
        left = max(0.001, due + target.timeout - time.monotonic())
        try:
            request = self._session.request(
                target.method,
                target.url,
                headers=target.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=left),
            )
            async with request as response:
                body = await _fields(response)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            self._record(target, due, error=error_class(error))
            return
        failed = f"http-{response.status}" if response.status >= 400 else ""
        self._record(target, due, status=response.status, error=failed, body=body)

    def _record(
        self, target: Target, due: float, status: int = 0, error: str = "", body: dict[str, Any] | None = None
    ) -> None:
        done, now = time.monotonic(), time.time()
        told = body or {}
        self.ring.add(
            Record(
                seq=self.ring.next_seq(),
                target=target.name,
                due=now - (done - due),
                done=now,
                latency_ms=(done - due) * 1000,
                status=status,
                error=error,
                cluster=_text(told, "cluster"),
                pod=_text(told, "pod"),
                client=_text(told, "client"),
            )
        )


async def _fields(response: aiohttp.ClientResponse) -> dict[str, Any]:
    raw = await response.read()
    if not raw.startswith(b"{"):
        return {}
    try:
        body: dict[str, Any] = await response.json(content_type=None)
    except ValueError:
        return {}  # not a demo app's answer: nothing to learn beyond the status
    return body


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key, "")
    return value if isinstance(value, str) else ""
