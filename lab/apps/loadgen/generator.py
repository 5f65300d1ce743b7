"""Sends requests on a fixed schedule, whatever the answers do (open loop), and records each.

One task per target walks the schedule `start + n / rate`. A request that finds too many in flight is
recorded as an overflow error instead of waiting. If the whole program was stopped (its cluster was
paused), the slots missed are skipped and counted: no load was offered then, so there is nothing to judge.
"""

import asyncio
import socket
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from lab.apps.loadgen.records import Record, Ring
from lab.apps.loadgen.senders import Answer, Sender, sender
from lab.apps.loadgen.targets import Target
from lab.base import wait

MAX_IN_FLIGHT = 512
STALL = 2.0


class Generator:
    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.targets: tuple[Target, ...] = ()
        self.skipped: dict[str, int] = {}
        self.since: dict[str, float] = {}
        """Unix time since which each target has been offered load unchanged."""
        self._in_flight: dict[str, dict[asyncio.Task[None], float]] = {}
        """Requests without an answer yet, and when (monotonic) the schedule wanted each sent."""
        self._next_due: dict[str, float] = {}
        self._schedules: dict[str, asyncio.Task[None]] = {}
        self._senders: dict[str, Sender] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        # Pods have IPv4 addresses only: one DNS query per name is enough.
        connector = aiohttp.TCPConnector(
            family=socket.AF_INET, limit=0, keepalive_timeout=30, ttl_dns_cache=5
        )
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        stack.push_async_callback(self._close)

    async def _close(self) -> None:
        tasks = [*self._schedules.values(), *(task for tasks in self._in_flight.values() for task in tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in self._senders.values()), *self._retired)
        if self._session:
            await self._session.close()

    def use(self, targets: Iterable[Target]) -> None:
        """Make `targets` the set; schedules of unchanged targets go on without a gap."""
        assert self._session is not None, "open() comes first"
        wanted = {target.name: target for target in targets}
        current = {target.name: target for target in self.targets}
        for name in [name for name in current if wanted.get(name) != current[name]]:
            self._schedules.pop(name).cancel()
            self._retire(self._senders.pop(name), self._in_flight.pop(name))
        for name in [name for name in wanted if wanted[name] != current.get(name)]:
            self.since[name] = time.time()
            self.skipped[name] = 0
            self._in_flight[name] = {}
            self._next_due[name] = time.monotonic()
            self._senders[name] = sender(wanted[name], self._session)
            self._schedules[name] = asyncio.create_task(self._offer(wanted[name]))
        self.targets = tuple(wanted.values())

    def _retire(self, old: Sender, flying: Iterable[asyncio.Task[None]]) -> None:
        """Close a sender once its last request is over."""

        async def close() -> None:
            await asyncio.gather(*flying, return_exceptions=True)
            await old.close()

        task = asyncio.create_task(close())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    def in_flight(self, name: str) -> int:
        return len(self._in_flight.get(name, ()))

    def settled(self, name: str) -> float:
        """The Unix time up to which every request that was due has been recorded."""
        earliest = min([self._next_due[name], *self._in_flight[name].values()])
        return time.time() + earliest - time.monotonic()

    async def _offer(self, target: Target) -> None:
        period = 1 / target.rate
        due = self._next_due[target.name]
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
            self._next_due[target.name] = due

    def _start(self, target: Target, due: float) -> None:
        flying = self._in_flight[target.name]
        if len(flying) >= MAX_IN_FLIGHT:
            self._record(target, due, time.monotonic(), Answer(error="overflow"))
            return
        task = asyncio.create_task(self._send(self._senders[target.name], target, due))
        flying[task] = due
        task.add_done_callback(flying.pop)

    async def _send(self, by: Sender, target: Target, due: float) -> None:
        sent = time.monotonic()
        left = max(0.001, due + target.timeout - sent)
        self._record(target, due, sent, await by.send(left))

    def _record(self, target: Target, due: float, sent: float, answer: Answer) -> None:
        done, now = time.monotonic(), time.time()
        self.ring.add(
            Record(
                seq=self.ring.next_seq(),
                target=target.name,
                due=now - (done - due),
                done=now,
                latency_ms=(done - due) * 1000,
                status=answer.status,
                error=answer.error,
                cluster=_text(answer.body, "cluster"),
                pod=_text(answer.body, "pod"),
                client=_text(answer.body, "client"),
                late_ms=(sent - due) * 1000,
            )
        )


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key, "")
    return value if isinstance(value, str) else ""
