"""HTTP faults: what a real client gets of a real proxy that was told to fail some of its pod's requests."""

import time
from typing import Any

import aiohttp
import pytest

from tests.mesh.xds.test_metrics import eventually
from tests.mesh.xds.test_policy import POD
from tests.mesh.xds.test_policy import gate as gate


def fault(name: str, percent: float, born: str = "2026-01-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fault.multicluster.lab/v1alpha1",
        "kind": "HTTPFault",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": born},
        "spec": {"podSelector": {}, "percent": percent, **spec},
    }


async def statuses(found: Any, count: int) -> list[int]:
    return [await found.meshed() for _ in range(count)]


async def test_meshed_and_plain_requests_get_the_status_and_are_counted(gate: Any) -> None:
    found = await gate()
    assert await found.meshed() == 200
    found.load(fault("all", 100, httpStatus=503))
    await found.settle(503)
    assert await found.plain() == 503
    await eventually(found.bench, "one", "inbound_http_fault_abort_total", 1, tls="no_identity")


async def test_requests_are_answered_again_on_open_connections_once_it_is_gone(gate: Any) -> None:
    found = await gate(fault("all", 100, httpStatus=418))
    await found.settle(418)
    found.bench.world.put(fault("all", 100, httpStatus=418), None)
    await found.settle(200)


async def test_the_asked_share_of_requests_fails(gate: Any) -> None:
    found = await gate(fault("some", 30, httpStatus=500))
    assert 60 <= (await statuses(found, 300)).count(500) <= 120  # 90, and nearly four deviations


async def test_requests_are_held_up(gate: Any) -> None:
    found = await gate(fault("slow", 100, delayMilliseconds=300))
    began = time.monotonic()
    assert await found.meshed() == 200
    assert time.monotonic() - began >= 0.3


async def test_a_probe_of_the_kubelet_is_spared(gate: Any) -> None:
    await gate(fault("all", 100, httpStatus=503))
    headers = {"User-Agent": "kube-probe/1.34"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://{POD}:9000/ready") as answer,
    ):
        assert answer.status == 200


@pytest.mark.parametrize(("selector", "status"), [({"app": "other"}, 200), ({}, 503)])
async def test_only_selected_pods_fail(gate: Any, selector: dict[str, str], status: int) -> None:
    found = await gate(fault("some", 100, httpStatus=503, podSelector={"matchLabels": selector}))
    assert await found.meshed() == status


async def test_faults_on_one_pod_combine_and_the_younger_ones_word_holds(gate: Any) -> None:
    old = fault("z", 100, httpStatus=500, delayMilliseconds=200)
    found = await gate(fault("a", 100, born="2026-01-02T00:00:00Z", httpStatus=418), old)
    began = time.monotonic()
    assert await found.meshed() == 418
    assert time.monotonic() - began >= 0.2
