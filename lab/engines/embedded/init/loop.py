"""The event loop of init: descriptors, timers and child exits, on one thread and without asyncio.

Init must stay small and must fork safely, so it has nothing but this. Callbacks must return quickly.
"""

import contextlib
import heapq
import itertools
import os
import selectors
import signal
import time
import traceback
from collections.abc import Callable

Callback = Callable[[], None]


class Loop:
    """Runs callbacks when descriptors are readable, when time has come and when signals arrive."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()
        self._signals: dict[int, Callback] = {}
        self._running = True
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self.on_readable(self._wake_read, self._signalled)

    def on_readable(self, fd: int, callback: Callback) -> None:
        """Call back whenever `fd` has something to read, until `forget`."""
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor; one that is not watched is fine."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back, in the loop, after a signal has arrived."""
        self._signals[number] = callback
        signal.signal(number, lambda _number, _frame: None)

    def later(self, seconds: float, callback: Callback) -> None:
        """Call back once after a delay."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), callback))

    def stop(self) -> None:
        """End `run` after the current round."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self._running:
            timeout = max(self._timers[0][0] - time.monotonic(), 0) if self._timers else None
            for key, _events in self._selector.select(timeout):
                if self._is_current(key):
                    _guarded(key.data)
            now = time.monotonic()  # what a timer starts anew has to wait for the next round
            while self._timers and self._timers[0][0] <= now:
                _guarded(heapq.heappop(self._timers)[2])

    def _is_current(self, key: selectors.SelectorKey) -> bool:
        """An earlier callback of the same round may have removed this one, or given its number to another."""
        return self._selector.get_map().get(key.fd) is key

    def _signalled(self) -> None:
        for number in set(os.read(self._wake_read, 4096)):
            if number in self._signals:
                self._signals[number]()


def _guarded(callback: Callback) -> None:
    """A fault in one callback is logged: it must not end PID 1, and with it the whole lab."""
    try:
        callback()
    except Exception:  # noqa: BLE001 (see above)
        traceback.print_exc()
