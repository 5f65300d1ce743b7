"""Scraping proxies through API servers that answer, hang or are not there; the servers are real sockets."""

import pytest
from aiohttp import web

from lab.base.errors import UsageError
from lab.observe import scrape as scraping
from lab.observe.facts import ClusterFacts, Scope
from lab.observe.gather import Gatherer
from lab.observe.golden import Owner
from lab.observe.scrape import Scrape, scrape
from lab.ops.stat import seconds
from tests.observe.test_gather import api_server, connect, hang

METRICS = 'response_total{direction="inbound",tls="true",classification="success"} 7\n'


def pod(namespace: str, name: str, *containers: str, phase: str = "Running", **metadata: str) -> dict:
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": f"uid-{name}", **metadata},
        "spec": {"containers": [{"name": container} for container in containers]},
        "status": {"phase": phase},
    }


PODS = [
    pod("shop", "front", "front", "linkerd-proxy"),
    pod("shop", "hangs", "hangs", "linkerd-proxy"),
    pod("shop", "plain", "plain"),
    pod("shop", "leaves", "leaves", "linkerd-proxy", deletionTimestamp="2026-01-01T00:00:00Z"),
    pod("shop", "waits", "waits", "linkerd-proxy", phase="Pending"),
    pod("echo", "echo", "echo", "linkerd-proxy"),
]


async def answer(request: web.Request) -> web.Response:
    if "/pods/hangs:4191/" in request.path:
        return await hang(request)
    if request.path.endswith(":4191/proxy/metrics"):
        return web.Response(text=METRICS)
    spaces = [found for found in ("shop", "echo") if f"/namespaces/{found}/" in request.path]
    return web.json_response(
        {"items": [p for p in PODS if p["metadata"]["namespace"] in spaces or not spaces]}
    )


async def scraped(*facts: ClusterFacts, namespaces: tuple[str, ...] = ()) -> Scrape:
    async with api_server(answer) as url:
        gatherer = Gatherer(connect(west=url, east="http://127.0.0.1:9"))
        try:
            return await scrape(gatherer, facts, namespaces)
        finally:
            await gatherer.close()


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "SCRAPE_LIMIT", 0.5)


async def test_running_pods_come_with_what_their_proxies_say() -> None:
    seen = await scraped(ClusterFacts("west"))
    read = {found.owner.name: found.reading for found in seen.pods}
    assert read.keys() == {"front", "hangs", "plain", "echo"}
    assert [found.owner.name for found in seen.pods if not found.is_meshed] == ["plain"]
    assert read["front"] is not None
    assert list(read["front"].values.values()) == [7.0]
    assert seen.pods[0].owner == Owner("west", "shop", "front", "Pod")


async def test_a_proxy_that_hangs_is_named_and_spoils_no_other() -> None:
    seen = await scraped(ClusterFacts("west"))
    (problem,) = seen.problems
    assert (problem.where, problem.what) == ("proxy of west/shop/hangs", "no answer within 0.5 s")
    assert problem.remedy == "lab logs west/shop/hangs --container linkerd-proxy"


async def test_a_cluster_that_cannot_be_asked_says_why_and_spoils_no_other() -> None:
    seen = await scraped(ClusterFacts("east"), ClusterFacts("north", paused=True), ClusterFacts("west"))
    told = {problem.where: problem.what for problem in seen.problems}
    assert "127.0.0.1:9" in told["cluster east"]
    assert told["cluster north"] == "the cluster is paused"
    assert {found.owner.cluster for found in seen.pods} == {"west"}


async def test_only_the_namespaces_that_are_asked_for_and_the_labs_own_are_read() -> None:
    seen = await scraped(ClusterFacts("west"), namespaces=("echo",))
    assert [found.owner.name for found in seen.pods] == ["echo"]
    guest = await scraped(ClusterFacts("west", scope=Scope(namespaces=("echo",))))
    assert [found.owner.name for found in guest.pods] == ["echo"]


@pytest.mark.parametrize(("word", "reason"), [("soon", "found no duration"), ("100ms", "too short")])
def test_a_window_that_makes_no_rate_is_refused(word: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        seconds(word)
