"""Circuit breaking: which endpoints leave the balancer, for how long, in flat and in gateway mode."""

import time
from typing import Any

from lab.base.wait import until
from tests.mesh.xds.test_gateway_traffic import MIRROR, through_gateway
from tests.mesh.xds.test_traffic import ECHO, pod, service, slices

NOTE = "balancer.linkerd.io/failure-accrual"
LONG = {
    NOTE: "consecutive",
    f"{NOTE}-consecutive-max-failures": "3",
    f"{NOTE}-consecutive-min-penalty": "30s",
}


async def two_pods(bench: Any, **notes: str) -> Any:
    """Service `echo` with a good and a failing pod, unmeshed."""
    found = await bench("objects: []")
    good, bad = await found.app("good"), await found.app("bad")
    bad.status = 500
    second = slices("echo", bad.port, bad_pod="127.0.0.1")
    second["metadata"]["name"] = "echo-y"
    echo = service("echo", ECHO, found.outbound_port, **notes)
    found.world.load([pod("client", account="web"), echo, second])
    found.world.load([slices("echo", good.port, good_pod="127.0.0.1")])
    await found.envoy("client", account="web")
    return found


async def failures(found: Any, count: int, ip: str = ECHO) -> int:
    return sum([(await found.get(ip))[0] == 500 for _ in range(count)])


async def test_without_the_annotation_answers_take_nobody_out(bench: Any) -> None:
    found = await two_pods(bench)
    assert await failures(found, 60) > 15


async def test_in_flat_mode_the_failing_pod_leaves_after_max_failures_and_the_others_stay(bench: Any) -> None:
    found = await two_pods(bench, **LONG)
    # Envoy's threads tell each other: a request or two may still be under way to the pod that leaves.
    assert 3 <= await failures(found, 60) <= 5
    assert await failures(found, 20) == 0


async def test_in_gateway_mode_the_gateway_leaves_and_with_it_the_whole_service(bench: Any) -> None:
    found = await through_gateway(bench, **LONG)
    found.world.put(*without_breaker(found))
    found.apps["one"].status = 500

    async def is_open() -> bool:
        return (await found.get(MIRROR))[0] == 503

    await until(is_open, timeout=5, what="the gateway is out", every=0.02)
    seen = len(found.apps["one"].seen)
    assert (await found.get(MIRROR))[0] == 503
    assert len(found.apps["one"].seen) == seen


def without_breaker(found: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The target's own Service before and after its annotations are taken away: only the client's count."""
    before: dict[str, Any] = found.world.graph.peek(("service", "", "shop", "echo"))
    after = {**before, "metadata": {**before["metadata"], "annotations": {}}}
    return {**before, "kind": "Service"}, {**after, "kind": "Service"}


async def test_a_success_starts_the_count_anew(bench: Any) -> None:
    found = await two_pods(bench, **LONG)
    bad = found.apps["bad"]
    for _ in range(10):
        bad.first, before = [500, 500, 200], len(bad.seen)

        async def has_had_three(limit: int = before + 3) -> bool:
            await found.get(ECHO)
            return len(bad.seen) == limit

        await until(has_had_three, timeout=5, what="three requests", every=0)


async def test_after_the_penalty_a_pod_is_tried_again_and_its_penalty_grows(bench: Any) -> None:
    """All requests may try it, not one: Envoy has no single-request probation."""
    found = await two_pods(
        bench, **{**LONG, f"{NOTE}-consecutive-min-penalty": "1s", f"{NOTE}-consecutive-jitter-ratio": "0"}
    )
    penalties = []
    for _ in range(2):
        await until(lambda: is_out(found, wanted=True), timeout=10, what="out", every=0.01)
        started = time.monotonic()
        await until(lambda: is_out(found, wanted=False), timeout=10, what="back", every=0.01)
        penalties.append(time.monotonic() - started)
    # At least 1 s and 2 s, but for what passed until this test saw them begin.
    assert penalties[0] > 0.8
    assert penalties[1] > 1.7


async def is_out(found: Any, *, wanted: bool) -> bool:
    """Whether an endpoint is out (asking all the while, so that one that fails goes out) or none is."""
    if wanted:
        await found.get(ECHO)
    active = await found.stats("client", "outbound/.*ejections_active")
    return wanted == any(line.endswith(": 1") for line in active.splitlines())
