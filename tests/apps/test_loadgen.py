"""The generator against real servers: schedule, records, errors, changing targets."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web

from lab.apps import serving
from lab.apps.conduct import Conduct
from lab.apps.echo import open_grpc, open_http, open_tcp
from lab.apps.loadgen import generator as generating
from lab.apps.loadgen.generator import Generator
from lab.apps.loadgen.program import follow, routes
from lab.apps.loadgen.records import Record, Ring
from lab.apps.loadgen.targets import Target
from lab.base import wait


@asynccontextmanager
async def running(*targets):
    async with AsyncExitStack() as stack:
        made = Generator(Ring())
        await made.open(stack)
        made.use(targets)
        yield made


async def records(made, count):
    """At least `count` records, as soon as they are there."""

    async def enough():
        found = made.ring.since_seq(0)
        return found if len(found) >= count else None

    return await wait.until(enough, timeout=10, what=f"{count} records", every=0.01)


@pytest.fixture
async def stack(monkeypatch):
    monkeypatch.setenv("LAB_CLUSTER", "west")
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def slow_server(stack):
    """Answers nobody until told to."""
    release = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await release.wait()
        return web.json_response({"cluster": "east"})

    app = web.Application()
    app.router.add_get("/", answer)
    port = await serving.listen_http(stack, app, 0)
    yield f"http://127.0.0.1:{port}/", release
    release.set()


@pytest.mark.parametrize("scheme", ["http", "grpc", "tcp"])
async def test_answers_are_recorded_with_the_cluster_that_gave_them(stack, scheme):
    port = await {
        "http": lambda: open_http(stack, Conduct(), 0),
        "grpc": lambda: open_grpc(stack, 0),
        "tcp": lambda: open_tcp(stack, 0),
    }[scheme]()
    async with running(Target("echo", f"{scheme}://127.0.0.1:{port}", 100)) as made:
        first = (await records(made, 3))[0]
    assert (first.target, first.status, first.error, first.cluster) == ("echo", 200, "", "west")


@pytest.mark.parametrize(
    ("scheme", "error"), [("http", "connect"), ("tcp", "connect"), ("grpc", "grpc-UNAVAILABLE")]
)
async def test_a_refused_connection_is_an_error_of_its_class(scheme, error):
    async with running(Target("gone", f"{scheme}://127.0.0.1:9", 50)) as made:
        assert (await records(made, 1))[0].error == error


async def test_a_slow_server_does_not_slow_the_schedule(slow_server):
    url, _ = slow_server
    async with running(Target("slow", url, 200)) as made:
        await wait.until(lambda: _true(made.in_flight("slow") >= 20), timeout=5, what="20 in flight")


async def test_latency_counts_from_the_moment_a_request_was_due(slow_server):
    url, release = slow_server
    async with running(Target("slow", url, 100)) as made:
        await wait.until(lambda: _true(made.in_flight("slow") >= 10), timeout=5, what="10 in flight")
        release.set()
        found = sorted((await records(made, 10))[:10], key=lambda record: record.due)
    assert found[0].latency_ms >= 80
    assert [round(b.due - a.due, 3) for a, b in pairwise(found)] == pytest.approx([0.01] * 9, abs=0.003)


async def test_what_is_settled_ends_before_the_oldest_request_without_an_answer(slow_server):
    url, release = slow_server
    async with running(Target("slow", url, 100)) as made:
        await wait.until(lambda: _true(made.in_flight("slow") >= 10), timeout=5, what="10 in flight")
        before = made.settled("slow")
        release.set()
        await wait.until(lambda: _true(made.settled("slow") > before + 0.1), timeout=5, what="settled")
        found = made.ring.since_seq(0)
    assert before == pytest.approx(min(record.due for record in found), abs=0.005)


async def test_too_many_in_flight_are_errors_not_a_pause(slow_server, monkeypatch):
    monkeypatch.setattr(generating, "MAX_IN_FLIGHT", 2)
    url, _ = slow_server
    async with running(Target("slow", url, 200)) as made:
        assert {record.error for record in await records(made, 5)} == {"overflow"}


async def test_no_answer_within_the_timeout_is_an_error(slow_server):
    url, _ = slow_server
    async with running(Target("slow", url, 50, timeout=0.05)) as made:
        assert (await records(made, 1))[0].error == "timeout"


async def test_targets_change_while_it_runs_and_unchanged_ones_go_on(stack):
    port = await open_http(stack, Conduct(), 0)
    kept = Target("kept", f"http://127.0.0.1:{port}", 50)
    async with running(kept, Target("old", f"http://127.0.0.1:{port}", 50)) as made:
        since = made.since["kept"]
        made.use([kept, Target("new", f"http://127.0.0.1:{port}", 50)])
        assert [target.name for target in made.targets] == ["kept", "new"]
        assert made.since["kept"] == since


async def test_the_targets_file_is_taken_again_when_it_changes(tmp_path):
    file = tmp_path / "targets.json"
    file.write_text(json.dumps({"targets": {"a": {"url": "http://127.0.0.1:9", "rate": 1}}}))
    async with running() as made:
        following = asyncio.create_task(follow(file, made))
        await wait.until(lambda: _true(made.targets), timeout=5, what="first targets")
        file.write_text(json.dumps({"targets": {"b": {"url": "http://127.0.0.1:9", "rate": 1}}}))
        await wait.until(lambda: _true(made.targets[0].name == "b"), timeout=5, what="new targets")
        following.cancel()


async def test_stats_and_requests_are_served(stack):
    port = await open_http(stack, Conduct(), 0)
    async with running(Target("echo", f"http://127.0.0.1:{port}", 100)) as made, AsyncExitStack() as own:
        base = f"http://127.0.0.1:{await serving.listen_http(own, routes(made), 0)}"
        await records(made, 10)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}/stats", params={"window": "5"}) as answer:
                figures = (await answer.json())["targets"]["echo"]
            async with session.get(f"{base}/requests", params={"since": "5"}) as answer:
                lines = [json.loads(line) for line in (await answer.text()).splitlines()]
            middle = {"from": str(lines[1]["done"])}
            async with session.get(f"{base}/requests", params=middle) as answer:
                later = [json.loads(line) for line in (await answer.text()).splitlines()]
            async with session.post(f"{base}/targets", data='{"targets": {"x": {}}}') as answer:
                refused = answer.status
    assert (figures["success"], figures["answeredBy"]) == (1.0, {"west": 1.0})
    assert lines[0]["seq"] == 6
    assert later[0]["seq"] in (7, 8)  # times are rounded to a tenth of a millisecond
    assert Record.parse(lines[0]).fields() == lines[0]
    assert refused == 400


async def _true(value):
    return value
