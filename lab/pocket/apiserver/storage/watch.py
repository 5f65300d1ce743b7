"""Watch history and fan-out. Writers never wait: a subscriber that cannot keep up is dropped."""

import asyncio
from collections import deque
from collections.abc import Callable

from .record import Change

QUEUE_LIMIT = 4096


class Gone(Exception):
    """The asked revision is older than the history that is kept; `floor` is the oldest that is."""

    def __init__(self, floor: int) -> None:
        super().__init__(f"history begins at {floor}")
        self.floor = floor


class Subscription:
    """One watcher's queue for one prefix (and namespace, when not empty)."""

    def __init__(self, prefix: str, namespace: str, peers: "set[Subscription]") -> None:
        self.prefix = prefix
        self.namespace = namespace
        self.dropped = False
        self.concerns: Callable[[Change], bool] | None = None
        """The reader's selectors: a reader that is not concerned is not even woken."""
        self.cut: Callable[[], None] | None = None
        """Ends the reader, who may be stuck in a write and would not notice that it was dropped."""
        self._peers = peers
        self._queue: deque[Change] = deque()
        self._ready = asyncio.Event()

    def wants(self, change: Change) -> bool:
        key = change.record.key
        if key.prefix != self.prefix or self.namespace not in ("", key.namespace):
            return False
        return self.concerns is None or self.concerns(change)

    def offer(self, change: Change) -> None:
        if self.dropped:
            return
        if len(self._queue) >= QUEUE_LIMIT:
            self.drop()
            if self.cut is not None:
                self.cut()
            return
        self._queue.append(change)
        self._ready.set()

    def drop(self) -> None:
        self.dropped = True
        self._queue.clear()
        self._ready.set()

    def close(self) -> None:
        """Stop listening."""
        self._peers.discard(self)

    async def take(self, timeout: float) -> list[Change]:
        """Everything queued, waiting up to `timeout`; empty on time-out or when dropped."""
        if not self._queue and not self.dropped:
            self._ready.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._ready.wait()
            except TimeoutError:
                return []
        changes = list(self._queue)
        self._queue.clear()
        return changes


class History:
    """The last changes in order, and who listens to new ones."""

    def __init__(self, limit: int) -> None:
        self._changes: deque[Change] = deque()
        self._limit = limit
        self._subscribers: dict[str, set[Subscription]] = {}
        self.floor = 0

    def append(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > self._limit:
            self.floor = self._changes.popleft().revision

    def publish(self, change: Change) -> None:
        self.append(change)
        for subscriber in self._subscribers.get(change.record.key.prefix, ()):
            if subscriber.wants(change):
                subscriber.offer(change)

    def after(self, revision: int) -> list[Change]:
        """Changes newer than `revision`, oldest first."""
        if revision < self.floor:
            raise Gone(self.floor)
        found: list[Change] = []
        for change in reversed(self._changes):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found

    def subscribe(self, prefix: str, namespace: str, after: int) -> Subscription:
        peers = self._subscribers.setdefault(prefix, set())
        subscription = Subscription(prefix, namespace, peers)
        for change in self.after(after):
            if subscription.wants(change):
                subscription.offer(change)
        peers.add(subscription)
        return subscription

    def drop_all(self) -> None:
        for subscribers in self._subscribers.values():
            for subscription in subscribers:
                subscription.drop()

    def drop_prefix(self, prefix: str) -> None:
        """Ends the watches of a kind that is no longer served."""
        for subscription in self._subscribers.get(prefix, set()):
            subscription.drop()
