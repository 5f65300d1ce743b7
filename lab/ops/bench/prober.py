"""Program of the bench's prober pod: asks one address again and again and prints when who answered.

Every line is the monotonic clock, which all processes of a machine share, at the end of a request, and the
answer's text, or "-" with the status for a failure (0 without an answer). Runs inside a lab until SIGTERM.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence

import aiohttp

from lab.base.wait import pause

EVERY = 0.002
TIMEOUT = aiohttp.ClientTimeout(total=1.0)


def main(argv: Sequence[str]) -> int:
    """`prober URL`"""
    asyncio.run(_until_stopped(argv[0]))
    return 0


async def _until_stopped(url: str) -> None:
    task = asyncio.create_task(_ask(url))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


async def _ask(url: str) -> None:
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        while True:
            answer = await _answer(session, url)
            sys.stdout.write(f"{time.monotonic():.4f} {answer}\n")
            sys.stdout.flush()
            await pause(EVERY)


async def _answer(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(url) as response:
            text = (await response.text()).strip()
            return text if response.status == 200 else f"-{response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError):
        return "-0"
