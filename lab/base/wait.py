"""The only place that waits for time to pass.

Code that follows an event stream does not come here; this is for conditions that nothing announces.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lab.base.errors import LabError, TimedOut

T = TypeVar("T")


async def pause(seconds: float) -> None:
    """Let `seconds` go by: for back-off and fixed schedules only."""
    await asyncio.sleep(seconds)


async def until(probe: Callable[[], Awaitable[T]], *, timeout: float, what: str, every: float = 0.05) -> T:
    """Call `probe` every `every` seconds until it returns something truthy, and return that.

    A LabError or OSError from the probe means "not yet"; after `timeout` seconds TimedOut names
    `what` and the last such error, so that the reason is never lost.
    """
    deadline = time.monotonic() + timeout
    seen = "the condition stayed false"
    while True:
        try:
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + max(deadline - time.monotonic(), 0.001)
            ):
                if result := await probe():
                    return result
        except TimeoutError:
            seen = "the last try did not answer"
        except (LabError, OSError) as error:
            seen = str(error) or type(error).__name__
        if time.monotonic() + every > deadline:
            raise TimedOut(f"{what}: not within {timeout:g} s; last seen: {seen}")
        await asyncio.sleep(every)


class Backoff:
    """Doubling delays from `first` to `limit` seconds; `reset` after a success."""

    def __init__(self, first: float, limit: float) -> None:
        self._first, self._limit, self._next = first, limit, first

    def reset(self) -> None:
        self._next = self._first

    def next(self) -> float:
        """The delay before the next try, in seconds."""
        delay, self._next = self._next, min(self._next * 2, self._limit)
        return delay

    async def pause(self) -> None:
        await asyncio.sleep(self.next())
