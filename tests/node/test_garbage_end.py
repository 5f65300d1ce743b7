"""A garbage collector that is cancelled while it learns of new kinds leaves nothing behind."""

import asyncio
import gc
import json

import pytest

from lab.base.wait import pause
from lab.kube.client import Client, Request
from lab.pocket.controllers.garbage import GarbageCollector

TURNS = 12
"""More turns of the loop than lie between an answer and the task that is then asked for."""


class Discovery(Client):
    """Answers one look at the served kinds when told to, and nothing else."""

    def __init__(self) -> None:
        self.asked, self.told = asyncio.Event(), asyncio.Event()

    async def raw(self, request: Request) -> bytes:
        if request.path == "/apis":
            return json.dumps({"groups": []}).encode()
        if request.path != "/api/v1":
            await asyncio.Event().wait()  # the first list of an informer
        self.asked.set()
        await self.told.wait()
        verbs = ["list", "watch", "delete"]
        found = {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": verbs}
        return json.dumps({"resources": [found]}).encode()


@pytest.mark.parametrize("turns", range(TURNS))
async def test_cancelled_in_any_turn_after_the_answer_it_asks_for_no_task(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = Discovery()
    running = asyncio.create_task(GarbageCollector(client, (), None).run())  # type: ignore[arg-type]
    await client.asked.wait()
    client.told.set()
    for _ in range(turns):
        await pause(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gc.collect()
    assert not caplog.records
