"""Doing several things at once keeps results in order and errors readable."""

import asyncio

import pytest

from lab.base.concurrent import together
from lab.base.errors import LabError


async def answer(value: int) -> int:
    return value


async def fail(message: str) -> int:
    raise LabError(message)


async def test_results_come_in_the_order_of_the_works() -> None:
    assert await together(answer(1), answer(2), answer(3)) == [1, 2, 3]


async def test_the_first_error_comes_out_as_it_is_and_cancels_the_others() -> None:
    cancelled = asyncio.Event()

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return 0

    with pytest.raises(LabError, match="no luck"):
        await together(endless(), fail("no luck"))
    assert cancelled.is_set()
