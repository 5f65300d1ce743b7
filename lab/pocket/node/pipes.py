"""Asynchronous reading and writing of the descriptors that an exec hands out.

Every function here owns the descriptor it is given and closes it.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator

CHUNK = 65536


async def chunks(fd: int) -> AsyncIterator[bytes]:
    """Data as it comes, until the other end closes (a terminal says EIO instead)."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            while True:
                data = _read(fd)
                if data is None:
                    break
                if not data:
                    return
                yield data
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def read_all(fd: int) -> bytes:
    return b"".join([data async for data in chunks(fd)])


async def write(fd: int, data: bytes) -> bool:
    """Write everything; False when the other end no longer reads. Leaves the descriptor open."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            ready = asyncio.Event()
            loop.add_writer(fd, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_writer(fd)
        except (BrokenPipeError, OSError):
            return False
    return True


def _read(fd: int) -> bytes | None:
    """Some data, b"" at the end, None when there is none yet."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise
