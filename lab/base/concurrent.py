"""Doing several things at once, with errors that stay readable.

A TaskGroup wraps errors in a group; users want the one sentence that matters.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Run all to their end and return their results in order.

    The first error cancels the others and is raised as it is, not in a group.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise first(errors) from errors
    return [task.result() for task in tasks]


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error that is not itself a group."""
    found = errors.exceptions[0]
    return first(found) if isinstance(found, BaseExceptionGroup) else found
