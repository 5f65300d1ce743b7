"""What real proxies have counted, under Linkerd's names."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lab.base.wait import until
from lab.controlplane.proxy.metrics import LATENCIES_MS, exposition
from tests.mesh.xds.test_breaker import LONG, two_pods
from tests.mesh.xds.test_gateway_traffic import MIRROR, through_gateway
from tests.mesh.xds.test_policy import server
from tests.mesh.xds.test_traffic import ECHO, client_and_server, route

Labels = dict[str, str]
ECHO_ID = "default.shop.serviceaccount.identity.linkerd.cluster.local"


class Read:
    """The metrics of one pod's proxy at one moment."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in families for sample in family.samples]

    def values(self, name: str, **labels: str) -> list[float]:
        return [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]

    def labels(self, name: str, **labels: str) -> list[Labels]:
        return [s.labels for s in self.samples if s.name == name and labels.items() <= s.labels.items()]


async def read(bench: Any, pod: str) -> Read:
    connector = aiohttp.UnixConnector(str(bench.admin[pod]))
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get("http://localhost/stats/prometheus?usedonly") as answer:
            stats = await answer.text()
        async with session.get("http://localhost/clusters?format=json") as answer:
            clusters = json.loads(await answer.text())
    return Read(exposition(stats, clusters))


async def eventually(bench: Any, pod: str, name: str, value: float, **labels: str) -> Read:
    """Envoy brings its histograms and per-worker counters together now and then."""

    async def is_there() -> Read | None:
        found = await read(bench, pod)
        return found if found.values(name, **labels) == [value] else None

    found = await until(is_there, timeout=15, what=f"{name} {labels} is {value}", every=0.2)
    assert found
    return found


async def test_requests_are_counted_by_endpoint_with_the_identity_behind_it(bench: Any) -> None:
    found = await client_and_server(bench)
    await asyncio.gather(*(found.get(ECHO) for _ in range(5)))
    seen = await eventually(found, "client", "request_total", 5, direction="outbound", dst_service="echo")
    assert seen.labels("request_total", dst_service="echo") == [
        {
            "direction": "outbound",
            "dst_namespace": "shop",
            "dst_service": "echo",
            "dst_port": str(found.outbound_port),
            "target_addr": "127.0.2.1:9000",
            "tls": "true",
            "server_id": ECHO_ID,
        }
    ]
    assert seen.values("tcp_open_total", peer="dst", dst_service="echo")[0] >= 1
    assert seen.values("outbound_http_balancer_endpoints", backend_name="echo", endpoint_state="ready") == [1]


async def test_latencies_are_in_linkerds_buckets(bench: Any) -> None:
    found = await client_and_server(bench)
    for _ in range(4):
        await found.get(ECHO)
    for pod, labels in (("client", {"direction": "outbound"}), ("one", {"direction": "inbound"})):
        seen = await eventually(found, pod, "response_latency_ms_count", 4, **labels)
        bounds = [label["le"] for label in seen.labels("response_latency_ms_bucket", **labels)]
        assert bounds == [*map(str, LATENCIES_MS), "+Inf"]


async def test_the_server_tells_meshed_clients_from_others_and_whom_it_refused(bench: Any) -> None:
    found = await client_and_server(bench)
    found.world.load([server(port=9000, accessPolicy="all-authenticated")])

    async def plain() -> int:
        async with aiohttp.ClientSession() as session, session.get("http://127.0.2.1:9000/") as answer:
            return answer.status

    async def is_refused() -> bool:
        return await plain() == 403

    await until(is_refused, timeout=5, what="the policy", every=0.02)
    before = (await read(found, "one")).values("inbound_http_authz_deny_total", tls="no_identity")[0]
    assert (await found.get(ECHO))[0] == 200
    await plain()
    seen = await eventually(found, "one", "inbound_http_authz_deny_total", before + 1, tls="no_identity")
    assert sum(seen.values("request_total", direction="inbound", tls="true")) == 1
    assert sum(seen.values("response_total", tls="no_identity", status_code="4xx")) == before + 1


async def test_probes_of_the_kubelet_are_no_responses_of_the_app(bench: Any) -> None:
    found = await client_and_server(bench)

    async def plain(agent: str) -> int:
        headers = {"User-Agent": agent}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get("http://127.0.2.1:9000/") as answer,
        ):
            return answer.status

    assert [await plain(agent) for agent in ("kube-probe/1.34", "kube-probe/1.34", "curl/8")] == [200] * 3
    seen = await eventually(found, "one", "request_total", 3, tls="no_identity")
    assert seen.values("response_total", tls="no_identity") == [1]


async def test_an_endpoint_that_the_breaker_took_out_is_pending(bench: Any) -> None:
    found = await two_pods(bench, **LONG)
    for _ in range(40):
        await found.get(ECHO)
    seen = await eventually(
        found, "client", "outbound_http_balancer_endpoints", 1, backend_name="echo", endpoint_state="pending"
    )
    assert seen.values("outbound_http_balancer_endpoints", endpoint_state="ready") == [1]
    failures = {"status_code": "500", "classification": "failure", "dst_service": "echo"}
    assert 3 <= seen.values("response_total", **failures)[0] <= 5


async def test_a_gateway_that_the_breaker_took_out_is_the_mirrors_one_pending_endpoint(bench: Any) -> None:
    found = await through_gateway(bench, **LONG)
    found.apps["one"].status = 500
    for _ in range(4):
        await found.get(MIRROR)
    await eventually(
        found,
        "client",
        "outbound_http_balancer_endpoints",
        1,
        backend_name="echo-east",
        endpoint_state="pending",
    )


async def test_requests_of_a_route_bear_its_name(bench: Any) -> None:
    found = await client_and_server(bench)
    found.world.load([route(("echo", 1), port=found.outbound_port, timeouts={"request": "5s"})])

    async def is_counted() -> list[float]:
        await found.get(ECHO)
        seen = await read(found, "client")
        return seen.values("request_total", route_kind="HTTPRoute", route_namespace="shop", route_name="echo")

    await until(is_counted, timeout=5, what="the route is counted", every=0.05)


async def test_a_gateway_counts_what_comes_in_and_what_goes_out(bench: Any) -> None:
    found = await through_gateway(bench)
    await found.get(MIRROR)
    seen = await eventually(found, "gw", "request_total", 1, direction="inbound", tls="true")
    assert seen.values("request_total", direction="outbound", dst_service="echo") == [1]


@pytest.mark.parametrize("name", ["client_id", "dst_pod"])
async def test_what_envoy_does_not_count_by_is_no_label(bench: Any, name: str) -> None:
    found = await client_and_server(bench)
    await found.get(ECHO)
    for pod in ("client", "one"):
        assert not [sample for sample in (await read(found, pod)).samples if name in sample.labels]
