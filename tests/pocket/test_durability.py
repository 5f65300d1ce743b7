"""SIGKILL under load: what was acknowledged is there, revisions go on, watchers resume."""

import asyncio
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from .conftest import Http, Server, Watch, config_map, new_server

KILLS = 4
BASE = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    server = new_server(tmp_path / "mortal")
    server.start()
    yield server
    if server.process is not None:
        server.end(signal.SIGKILL)


async def write_until_dead(server: Server, prefix: str, acknowledged: dict[str, int]) -> None:
    client = Http(server)
    try:
        for number in range(10_000):
            name = f"{prefix}-{number}"
            reply = await client.post(BASE, config_map(name, k=name))
            assert reply.code == 201
            acknowledged[name] = int(reply.body["metadata"]["resourceVersion"])
    except (aiohttp.ClientError, OSError):
        return
    finally:
        await client.close()


async def test_killed_servers_lose_nothing_they_acknowledged(mortal: Server) -> None:
    acknowledged: dict[str, int] = {}
    dice = random.Random(7)
    for round_ in range(KILLS):
        writers = [
            asyncio.create_task(write_until_dead(mortal, f"w{round_}-{lane}", acknowledged))
            for lane in range(4)
        ]
        await asyncio.wait(writers, timeout=dice.uniform(0.1, 0.4))
        await asyncio.to_thread(mortal.end, signal.SIGKILL)
        await asyncio.gather(*writers)
        await asyncio.to_thread(mortal.start)
    client = Http(mortal)
    items = (await client.get(BASE)).body["items"]
    await client.close()
    found = {item["metadata"]["name"]: int(item["metadata"]["resourceVersion"]) for item in items}
    assert len(acknowledged) > 10
    assert {name: found.get(name) for name in acknowledged} == acknowledged
    assert all(item["data"]["k"] == item["metadata"]["name"] for item in items)


async def test_a_watcher_resumes_after_a_kill_where_it_was(mortal: Server) -> None:
    client = Http(mortal)
    seen = (await client.post(BASE, config_map("a"))).body["metadata"]["resourceVersion"]
    await client.post(BASE, config_map("b"))
    await client.close()
    await asyncio.to_thread(mortal.end, signal.SIGKILL)
    await asyncio.to_thread(mortal.start)
    client = Http(mortal)
    async with Watch(client, f"{mortal.url}{BASE}?watch=1&resourceVersion={seen}") as watch:
        await client.post(BASE, config_map("c"))
        assert await watch.names(2) == [("ADDED", "b"), ("ADDED", "c")]
    await client.close()


async def test_sigterm_ends_the_server_with_watches_open(mortal: Server) -> None:
    client = Http(mortal)
    async with Watch(client, f"{mortal.url}{BASE}?watch=1&resourceVersion=1"):
        code = await asyncio.to_thread(mortal.end)
    await client.close()
    assert code == 0
