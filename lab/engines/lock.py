"""One command at a time per lab: a lock that the kernel releases when its holder ends, however it ends."""

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lab.base.errors import LockHeld, TimedOut
from lab.base.state import LabDir
from lab.base.wait import until


@contextmanager
def held(lab: LabDir, verb: str, *, within: float = 0.0) -> Iterator[None]:
    """Hold the lab's lock for the block. Raises LockHeld with the holder's pid and verb.

    `within` are the seconds to wait for another to let go; who waits must not be in an event loop.
    """
    descriptor = os.open(lab.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            _take(descriptor, within)
        except (BlockingIOError, TimedOut) as error:
            raise LockHeld(
                f"lab {lab.name} is being worked on by {_holder(descriptor)}", remedy="wait for it to end"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "verb": verb}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, within: float) -> None:
    async def taken() -> bool:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True

    if within:
        asyncio.run(until(taken, timeout=within, what="the lock"))
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(descriptor: int) -> str:
    try:
        facts = json.loads(os.pread(descriptor, 1000, 0))
        return f"`{facts['verb']}` (pid {facts['pid']})"
    except (ValueError, KeyError):
        return "another command"  # it has the lock and has not signed yet
