"""SIGKILL under load: what was acknowledged is there, revisions go on, watchers resume."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import Http, Server, Watch, config_map, new_server
from .writers import KINDS, NAMESPACES, WIDGETS, Counter, Follower, Ledger, Writer

LANES = 5
BASE = "/api/v1/namespaces/default/configmaps"
COUNTER = f"{BASE}/counter"
HISTORY = 400  # small, so that compactions fall into the load


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    server = new_server(tmp_path / "mortal", "--history", str(HISTORY))
    server.start()
    yield server
    if server.process is not None:
        server.end(signal.SIGKILL)


class Siege:
    """Writers and watchers on one server, and the one who kills it."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.dice = random.Random(seed)
        self.ledger = Ledger()
        self.followers = [Follower(kind) for kind in KINDS]
        self.counters = [Counter(COUNTER), Counter(COUNTER)]
        self._writers = [Writer(f"w{n}", self.ledger, random.Random(seed + n)) for n in range(LANES)]
        self._serving = asyncio.Event()
        self._following: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        http = Http(self.server)
        for space in NAMESPACES:
            await http.post(f"/api/v1/namespaces/{space}/serviceaccounts", {"metadata": {"name": "default"}})
        await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGETS)
        reply = await http.post(BASE, config_map("counter", n="0"))
        await http.close()
        for follower in self.followers:
            follower.revision = int(reply.body["metadata"]["resourceVersion"])
            task = asyncio.create_task(follower.run(self.server, self._serving))
            self._following.append(task)
        self._serving.set()

    async def round(self) -> None:
        """Write for a moment, die, come back, compare."""
        load = [asyncio.create_task(one.run(self.server)) for one in (*self._writers, *self.counters)]
        await self._some_writes(load)
        self._serving.clear()
        await asyncio.to_thread(self.server.end, signal.SIGKILL)
        await asyncio.gather(*load)
        if self.dice.random() < 0.1:  # killed again on its way up
            self.server.launch()
            await asyncio.wait([*self._following], timeout=self.dice.uniform(0.1, 0.8))
            await asyncio.to_thread(self.server.end, signal.SIGKILL)
        await asyncio.to_thread(self.server.start)
        self._serving.set()
        http = Http(self.server)
        await self.ledger.settle(http)
        await http.close()

    async def _some_writes(self, load: list[asyncio.Task[None]]) -> None:
        """A random number of acknowledged writes and a moment more, however fast this machine is."""
        enough = self.ledger.writes + self.dice.randrange(6, 60)
        async with asyncio.timeout(30):
            while self.ledger.writes < enough:
                done, _ = await asyncio.wait(load, timeout=0.002)
                for task in done:
                    await task  # a writer only ends by itself when something is wrong
        await asyncio.wait(load, timeout=self.dice.uniform(0, 0.02))

    async def caught_up(self, follower: Follower) -> None:
        """Wait until a watcher shows what the writers know."""
        while follower.state != dict(follower.expected(self.ledger)):
            await asyncio.wait(self._following, timeout=0.02)
            for task in self._following:
                if task.done():
                    await task

    async def finish(self) -> None:
        for task in self._following:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def besiege(server: Server, seed: int, kills: int) -> None:
    siege = Siege(server, seed)
    await siege.prepare()
    try:
        for _ in range(kills):
            await siege.round()
        for follower in siege.followers:
            async with asyncio.timeout(10):
                await siege.caught_up(follower)
    finally:
        await siege.finish()
    seen = {revision for follower in siege.followers for revision in follower.seen}
    assert siege.ledger.revisions.keys() <= seen, "acknowledged writes that no watcher was told of"
    assert all(follower.resumed >= kills for follower in siege.followers)
    assert siege.ledger.writes >= 6 * kills
    http = Http(server)
    number = int((await http.get(COUNTER)).body["data"]["n"])
    await http.close()
    added = sum(counter.added for counter in siege.counters)
    assert added <= number <= added + sum(counter.unsure for counter in siege.counters)


@pytest.mark.parametrize("seed", [int(os.environ.get("SIEGE_SEED", "7"))])
async def test_a_server_killed_under_load_keeps_its_word(mortal: Server, seed: int) -> None:
    await besiege(mortal, seed, kills=4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [int(os.environ.get("SIEGE_SEED", "1"))])
async def test_a_server_killed_a_hundred_times_keeps_its_word(mortal: Server, seed: int) -> None:
    await besiege(mortal, seed, kills=100)


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


async def test_a_watcher_from_before_a_compaction_is_told_to_list_again_after_a_kill(mortal: Server) -> None:
    client = Http(mortal)
    first = (await client.post(BASE, config_map("a"))).body["metadata"]["resourceVersion"]
    for number in range(HISTORY * 2):
        assert (await client.patch(f"{BASE}/a", {"data": {"n": str(number)}})).code == 200
    newest = (await client.post(BASE, config_map("newest"))).body["metadata"]["resourceVersion"]
    await client.delete(f"{BASE}/newest")
    await client.close()
    await asyncio.to_thread(mortal.end, signal.SIGKILL)
    await asyncio.to_thread(mortal.start)
    client = Http(mortal)
    old = await client.get(f"{BASE}?watch=1&resourceVersion={first}")
    reply = await client.post(BASE, config_map("b"))
    await client.close()
    assert old.body["type"] == "ERROR"
    assert (old.body["object"]["code"], old.body["object"]["reason"]) == (410, "Expired")
    assert int(reply.body["metadata"]["resourceVersion"]) == int(newest) + 2


async def test_sigterm_ends_the_server_with_watches_open(mortal: Server) -> None:
    client = Http(mortal)
    async with Watch(client, f"{mortal.url}{BASE}?watch=1&resourceVersion=1"):
        code = await asyncio.to_thread(mortal.end)
    await client.close()
    assert code == 0


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Server]:
    """A server whose data folder is a file system of one megabyte, which outlives it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    root = os.geteuid() == 0
    mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && echo ready && exec sleep infinity'
    argv = ["unshare", "-m" if root else "-Urm", "sh", "-c", mount, str(disk)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        server = new_server(tmp_path / "cramped", "--data", str(disk))
        user = [] if root else ["-U", "--preserve-credentials"]
        server.prefix = ["nsenter", "-t", str(holder.pid), "-m", *user]
        server.root.joinpath("disk").symlink_to(f"/proc/{holder.pid}/root{disk}")
        server.start()
        yield server
        if server.process is not None:
            server.end(signal.SIGKILL)
        holder.kill()


async def fill(client: Http) -> tuple[list[str], Any]:
    """Create objects until one is refused; returns the names of the others, and the refusal."""
    names: list[str] = []
    while True:
        name = f"fill-{len(names)}"
        reply = await client.post(BASE, config_map(name, k="x" * 20_000))
        if reply.code != 201:
            return names, reply
        names.append(name)


@pytest.mark.netns
async def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(cramped: Server) -> None:
    client = Http(cramped)
    await client.post(BASE, config_map("early"))
    names, refusal = await fill(client)
    later = await client.post(BASE, config_map("later", k="x" * 20_000))
    health, early = await client.get("/readyz"), await client.get(f"{BASE}/early")
    await client.close()
    assert (refusal.code, refusal.body["reason"]) == (500, "InternalError")
    assert "database or disk is full; free space on its disk" in refusal.body["message"]
    assert (later.code, health.code, early.code) == (500, 200, 200)
    await asyncio.to_thread(cramped.end, signal.SIGKILL)
    await asyncio.to_thread(cramped.start)
    client = Http(cramped)
    found = {item["metadata"]["name"] for item in (await client.get(BASE)).body["items"]}
    await client.close()
    assert found == {"early", *names}


@pytest.mark.netns
async def test_a_server_writes_again_once_there_is_space(cramped: Server) -> None:
    ballast = cramped.root / "disk" / "ballast"
    ballast.write_bytes(b"x" * 400_000)
    client = Http(cramped)
    names, _ = await fill(client)
    ballast.unlink()
    again = await client.post(BASE, config_map("again", k="x" * 20_000))
    await client.close()
    assert again.code == 201
    await asyncio.to_thread(cramped.end, signal.SIGKILL)
    await asyncio.to_thread(cramped.start)
    client = Http(cramped)
    found = {item["metadata"]["name"] for item in (await client.get(BASE)).body["items"]}
    await client.close()
    assert found == {"again", *names}


async def test_a_server_that_cannot_read_its_store_ends_with_a_word_and_no_traceback(mortal: Server) -> None:
    mortal.end(signal.SIGKILL)
    for file in mortal.root.glob("store.db*"):
        file.write_bytes(b"this is no database" * 1000)
    mortal.launch()
    assert mortal.process is not None
    assert mortal.process.wait(10) == 1
    mortal.process = None
    log = (mortal.root / "log").read_text()
    assert f"{mortal.root}/store.db is damaged" in log
    assert "Traceback" not in log
