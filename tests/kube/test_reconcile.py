"""The reconcile loop keeps its contract: one at a time per key, retries, no lost wake-ups."""

import asyncio
from collections.abc import Awaitable, Callable

from lab.base.errors import LabError
from lab.kube.reconcile import Reconciler

Reconcile = Callable[[str], Awaitable[float | None]]


async def run_for(reconcile: Reconcile, keys: list[str], done: asyncio.Event) -> None:
    reconciler = Reconciler("test", reconcile)
    task = asyncio.create_task(reconciler.run())
    for key in keys:
        reconciler.enqueue(key)
    try:
        await asyncio.wait_for(done.wait(), 5)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_key_enqueued_twice_before_work_starts_is_reconciled_once() -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def reconcile(key: str) -> None:
        seen.append(key)
        if key == "last":
            done.set()

    await run_for(reconcile, ["a", "a", "a", "last"], done)
    assert seen == ["a", "last"]


async def test_a_key_enqueued_during_its_own_reconcile_runs_once_more_afterwards() -> None:
    runs = 0
    done = asyncio.Event()
    reconciler: Reconciler[str]

    async def reconcile(key: str) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            reconciler.enqueue(key)
            reconciler.enqueue(key)
        else:
            done.set()

    reconciler = Reconciler("test", reconcile)
    task = asyncio.create_task(reconciler.run())
    reconciler.enqueue("a")
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    await asyncio.wait([task])
    assert runs == 2


async def test_one_key_is_never_worked_on_twice_at_once() -> None:
    working = 0
    peak = 0
    runs = 0
    done = asyncio.Event()
    reconciler: Reconciler[str]

    async def reconcile(key: str) -> None:
        nonlocal working, peak, runs
        working += 1
        peak = max(peak, working)
        reconciler.enqueue(key)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        working -= 1
        runs += 1
        if runs == 5:
            done.set()

    reconciler = Reconciler("test", reconcile)
    task = asyncio.create_task(reconciler.run())
    reconciler.enqueue("a")
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    await asyncio.wait([task])
    assert peak == 1


async def test_an_error_is_tried_again_and_other_keys_go_on() -> None:
    attempts = 0
    done = asyncio.Event()

    async def reconcile(key: str) -> None:
        nonlocal attempts
        if key == "bad":
            attempts += 1
            if attempts < 3:
                raise LabError("not yet") if attempts == 1 else ValueError("a fault of ours")
            done.set()

    await run_for(reconcile, ["bad", "good"], done)
    assert attempts == 3


async def test_a_returned_delay_brings_the_key_back() -> None:
    runs = 0
    done = asyncio.Event()

    async def reconcile(key: str) -> float | None:
        nonlocal runs
        runs += 1
        if runs == 2:
            done.set()
        return 0.01 if runs == 1 else None

    await run_for(reconcile, ["a"], done)
    assert runs == 2
