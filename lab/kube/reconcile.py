"""The loop under every controller: keys in, one reconcile at a time per key, errors tried again.

The contract: `reconcile(key)` reads everything it needs, computes the desired state and writes the
difference. It returns None when done, or the seconds after which to look again; a LabError is
logged and retried with back-off; any other exception is a fault of ours and is logged with its
traceback, then retried too. A key enqueued while it is being worked on runs once more afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.kube.errors import Conflict

log = get_logger(__name__)
K = TypeVar("K")


class Reconciler(Generic[K]):
    """Runs `reconcile` for enqueued keys, at most `workers` at once."""

    def __init__(
        self, name: str, reconcile: Callable[[K], Awaitable[float | None]], *, workers: int = 8
    ) -> None:
        self._name, self._reconcile, self._workers = name, reconcile, workers
        self._queue: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._backoffs: dict[K, Backoff] = {}

    def enqueue(self, key: K) -> None:
        """Ask for a reconcile of `key` as soon as possible."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            self._working.add(key)
            delay = await self._once(key)
            self._working.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.enqueue(key)
            elif delay is not None:
                self._timers[key] = asyncio.get_running_loop().call_later(delay, self.enqueue, key)

    async def _once(self, key: K) -> float | None:
        try:
            delay = await self._reconcile(key)
        except Conflict:
            return 0.01  # somebody else wrote first: read again, nothing is wrong
        except LabError as error:
            log.warning("reconcile failed", controller=self._name, key=key, error=error)
        except Exception:  # one object's fault must not stop the others; logged whole
            log.exception("reconcile broke", controller=self._name, key=key)
        else:
            self._backoffs.pop(key, None)
            return delay
        return self._backoffs.setdefault(key, Backoff(0.05, 10.0)).next()
