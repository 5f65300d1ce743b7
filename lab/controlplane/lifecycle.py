"""How a program of the mesh ends: on SIGTERM or SIGINT in good order, or with the error of a task that
failed.
"""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def until_terminated(*tasks: Coroutine[Any, Any, None]) -> None:
    """Run the tasks until a termination signal; a task's failure ends the program with that error."""
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, terminated.set)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task) for task in tasks]
        await terminated.wait()
        for task in running:
            task.cancel()
