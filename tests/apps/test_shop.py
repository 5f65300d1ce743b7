"""The shop's chain over real sockets: HTTP, gRPC and TCP in one process."""

from contextlib import AsyncExitStack

import aiohttp
import pytest

from lab.apps.catalog import open_catalog
from lab.apps.conduct import Conduct
from lab.apps.front import open_front
from lab.apps.stock import open_stock


class Shop:
    """front → catalog → stock on free ports, each with its conduct."""

    def __init__(self) -> None:
        self.front, self.catalog, self.stock = Conduct(), Conduct(), Conduct()
        self.url = ""

    async def open(self, stack: AsyncExitStack) -> None:
        stock = await open_stock(stack, self.stock, 0)
        catalog = await open_catalog(stack, self.catalog, 0, f"127.0.0.1:{stock}")
        self.url = f"http://127.0.0.1:{await open_front(stack, self.front, 0, f'127.0.0.1:{catalog}')}"

    async def ask(self, path="/", **options):
        async with (
            aiohttp.ClientSession() as session,
            session.request(options.pop("method", "GET"), self.url + path, **options) as answer,
        ):
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def shop(monkeypatch):
    monkeypatch.setenv("LAB_CLUSTER", "west")
    monkeypatch.setenv("POD_NAMESPACE", "shop")
    async with AsyncExitStack() as stack:
        opened = Shop()
        await opened.open(stack)
        yield opened


async def test_a_reply_names_cluster_and_pod_at_every_hop(shop):
    status, body = await shop.ask()
    assert status == 200
    hops = (body, body["catalog"], body["catalog"]["stock"])
    assert [(hop["app"], hop["cluster"]) for hop in hops] == [
        ("front", "west"),
        ("catalog", "west"),
        ("stock", "west"),
    ]


async def test_front_tells_the_client_identity_that_the_proxy_vouches_for(shop):
    _, body = await shop.ask(headers={"l5d-client-id": "loadgen.traffic"})
    assert body["client"] == "loadgen.traffic"


async def test_a_lost_stock_is_a_502_that_names_the_way_to_it(shop):
    shop.stock.fail_share = 1.0
    status, body = await shop.ask()
    assert status == 502
    assert body["error"]["dependency"] == "catalog"
    assert "stock at 127.0.0.1:" in body["error"]["reason"]


async def test_the_shop_recovers_when_stock_does(shop):
    shop.stock.fail_share = 1.0
    await shop.ask()
    shop.stock.fail_share = 0.0
    assert (await shop.ask())[0] == 200


async def test_control_changes_how_front_behaves(shop):
    status, _ = await shop.ask("/control", method="POST", json={"failShare": 1})
    assert status == 200
    assert (await shop.ask())[0] == 500


async def test_control_refuses_nonsense_and_changes_nothing(shop):
    status, body = await shop.ask(
        "/control", method="POST", json={"failShare": 2, "delayms": 1, "ready": False}
    )
    assert status == 400
    assert [problem.split(",")[0] for problem in body["problems"]] == [
        "failShare is 2",
        "unknown field 'delayms'",
    ]
    assert shop.front.ready


async def test_an_unready_front_still_serves_but_says_so_to_its_probe(shop):
    shop.front.ready = False
    async with aiohttp.ClientSession() as session, session.get(f"{shop.url}/ready") as answer:
        assert answer.status == 503
    assert (await shop.ask())[0] == 200
