"""Gathering from API servers that answer, refuse or hang; the servers are real sockets."""

import asyncio
import base64
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lab.kube.client import Client
from lab.observe import gather
from lab.observe.facts import ClusterFacts, Trust
from lab.observe.gather import Gatherer

METRICS = 'gateway_alive{target_cluster_name="east"} 1\ngateway_latency{target_cluster_name="east"} 4.5\n'


def running(namespace, name, **labels):
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "status": {"phase": "Running"},
    }


PODS = [running("traffic", "loadgen-1", app="loadgen"), running("linkerd-multicluster", "controller-east-1")]


async def answer(request: web.Request) -> web.Response:
    path = request.path
    if path == "/version":
        return web.json_response({"gitVersion": "v1.36.0"})
    if path.endswith("/pods/loadgen-1:8080/proxy/stats"):
        return web.json_response({"targets": {}, "window": request.query["window"]})
    if path.endswith("/pods/controller-east-1:9999/proxy/metrics"):
        return web.Response(text=METRICS)
    if path.endswith("/configmaps/linkerd-identity-trust-roots"):
        return web.json_response({"data": {"ca-bundle.crt": "anchors"}})
    if path.endswith("/secrets/linkerd-identity-issuer"):
        encoded = {"crt.pem": base64.b64encode(b"issuer").decode(), "key.pem": "c2VjcmV0"}
        return web.json_response({"data": encoded})
    if path.endswith("/links"):
        return web.json_response(
            {"kind": "Status", "reason": "NotFound", "message": "no such kind"}, status=404
        )
    return web.json_response({"items": PODS if path == "/api/v1/pods" else []})


async def hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def api_server(handler):
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def connect(**servers):
    async def by_name(cluster: str) -> Client:
        return await Client.from_kubeconfig_data(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": servers[cluster]}}],
                "users": [{"name": "u", "user": {}}],
            }
        )

    return by_name


@pytest.fixture
def short_limits(monkeypatch):
    monkeypatch.setattr(gather, "LIMIT", 1.0)
    monkeypatch.setattr(gather, "PROXY_LIMIT", 0.7)


async def test_objects_traffic_and_probes_of_a_cluster_are_read_through_its_api_server():
    async with api_server(answer) as url:
        gatherer = Gatherer(connect(west=url), window=7)
        facts = (await gatherer.gather([ClusterFacts("west")]))["west"]
        await gatherer.close()
    assert (facts.error, facts.version, facts.links) == ("", "v1.36.0", ())
    assert facts.traffic == ({"targets": {}, "window": "7"},)
    assert facts.probes["east"].latency_ms == 4.5
    assert facts.trust == Trust("anchors", "issuer")


async def test_a_cluster_that_hangs_costs_its_limit_and_spoils_only_itself(short_limits):
    started = asyncio.get_running_loop().time()
    async with api_server(answer) as good, api_server(hang) as bad:
        gatherer = Gatherer(connect(west=good, east=bad))
        facts = await gatherer.gather([ClusterFacts("west"), ClusterFacts("east")])
        await gatherer.close()
    assert facts["west"].error == ""
    assert "no answer within 1 s" in facts["east"].error
    assert asyncio.get_running_loop().time() - started < 6


async def test_a_program_that_is_silent_is_noted_and_the_objects_are_kept(short_limits):
    async def only_objects(request: web.Request) -> web.Response:
        return await (hang if "/proxy/" in request.path else answer)(request)

    async with api_server(only_objects) as url:
        gatherer = Gatherer(connect(west=url))
        facts = (await gatherer.gather([ClusterFacts("west")]))["west"]
        await gatherer.close()
    assert len(facts.pods) == 2
    assert [line.partition(":")[0] for line in facts.unread] == ["loadgen-1", "controller-east-1"]


async def test_a_server_that_refuses_connections_is_an_error_in_words():
    gatherer = Gatherer(connect(west="http://127.0.0.1:9"))
    facts = (await gatherer.gather([ClusterFacts("west")]))["west"]
    await gatherer.close()
    assert "127.0.0.1:9" in facts.error


async def test_a_paused_cluster_is_not_asked_at_all():
    asked = []

    async def never(cluster: str) -> Client:
        asked.append(cluster)
        raise AssertionError

    facts = await Gatherer(never).gather([ClusterFacts("west", paused=True)])
    assert (facts["west"].error, asked) == ("the cluster is paused", [])
