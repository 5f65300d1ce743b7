"""What real Envoys do with what the real discovery server tells them."""

import asyncio
import time
from collections import Counter
from typing import Any

from lab.base.wait import until

ECHO = "127.0.1.1"
OTHER = "127.0.1.2"


def pod(name: str, address: str = "", account: str = "default", **notes: str) -> dict[str, Any]:
    annotations = {"test/listen": address, **notes} if address else notes
    labels = {"linkerd.io/control-plane-ns": "linkerd"} if address else {}
    meta = {"name": name, "namespace": "shop", "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"serviceAccountName": account}}


def service(name: str, ip: str, port: int, **notes: str) -> dict[str, Any]:
    spec = {"clusterIP": ip, "ports": [{"name": "http", "port": port, "targetPort": 1}]}
    meta = {"name": name, "namespace": "shop", "annotations": notes}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def slices(name: str, port: int, **addresses: str) -> dict[str, Any]:
    """A slice with pods by name and address."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-x",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": name},
        },
        "ports": [{"name": "http", "port": port}],
        "endpoints": [
            {"addresses": [address], "targetRef": {"kind": "Pod", "name": pod, "namespace": "shop"}}
            for pod, address in addresses.items()
        ],
    }


def route(*backends: tuple[str, int], port: int, parent: str = "echo", **rule: Any) -> dict[str, Any]:
    refs = [{"name": name, "port": port, "weight": weight} for name, weight in backends]
    parents = [{"group": "", "kind": "Service", "name": parent}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": parent, "namespace": "shop"},
        "spec": {"parentRefs": parents, "rules": [{"backendRefs": refs, **rule}]},
    }


async def client_and_server(bench: Any) -> Any:
    """Service `echo` with one meshed pod `one`, and a client."""
    found = await bench("objects: []")
    await found.app("one")
    found.world.load(
        [
            pod("client", account="web"),
            pod("one", "127.0.2.1:9000"),
            service("echo", ECHO, found.outbound_port),
            slices("echo", 9000, one="127.0.2.1"),
        ]
    )
    await asyncio.gather(found.envoy("client", account="web"), found.envoy("one"))
    return found


async def answers(found: Any, count: int, ip: str = ECHO) -> Counter[str]:
    return Counter([(await found.get(ip))[1] for _ in range(count)])


async def test_a_request_arrives_by_mtls_with_the_identity_of_its_client(bench: Any) -> None:
    found = await client_and_server(bench)
    assert await found.get(ECHO, headers={"l5d-client-id": "forged"}) == (200, "one")
    assert found.apps["one"].seen[-1]["l5d-client-id"] == (
        "web.shop.serviceaccount.identity.linkerd.cluster.local"
    )


async def test_plaintext_carries_no_identity_even_if_it_claims_one(bench: Any) -> None:
    found = await client_and_server(bench)
    found.outbound_port = 9000
    assert await found.get("127.0.2.1", headers={"l5d-client-id": "forged"}) == (200, "one")
    assert "l5d-client-id" not in found.apps["one"].seen[-1]


async def test_an_endpoint_with_another_identity_than_its_pod_is_not_spoken_to(bench: Any) -> None:
    found = await client_and_server(bench)
    found.world.put(pod("one", "127.0.2.1:9000"), pod("one", "127.0.2.1:9000", account="somebody-else"))

    async def is_refused() -> bool:
        return bool((await found.get(ECHO))[0] == 503)

    await until(is_refused, timeout=3, what="the impostor is refused", every=0.02)


async def test_a_service_without_endpoints_answers_503(bench: Any) -> None:
    found = await client_and_server(bench)
    found.world.load([service("empty", OTHER, found.outbound_port)])

    async def is_503() -> bool:
        return (await found.get(OTHER))[0] == 503

    await until(is_503, timeout=3, what="503", every=0.02)


async def unmeshed(bench: Any, *names: str) -> Any:
    """A client, and one Service and unmeshed app per name; `echo` is the parent of routes."""
    found = await bench("objects: []")
    objects = [pod("client", account="web")]
    for index, name in enumerate(names, 1):
        app = await found.app(name)
        objects += [
            service(name, f"127.0.1.{index}", found.outbound_port),
            slices(name, app.port, **{f"{name}-pod": "127.0.0.1"}),
        ]
    found.world.load(objects)
    await found.envoy("client", account="web")
    return found


async def test_backends_share_by_weight_and_fail_over_and_back(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "near", "far")
    port, near = found.outbound_port, found.apps["near"].port
    found.world.load([route(("near", 100), ("far", 1), port=port)])
    full, none = slices("near", near, near_pod="127.0.0.1"), slices("near", near)

    async def mostly(name: str) -> bool:
        return (await answers(found, 5)).get(name, 0) >= 4

    await until(lambda: mostly("near"), timeout=3, what="near answers", every=0.02)
    found.world.put(full, none)
    await until(lambda: mostly("far"), timeout=3, what="far answers", every=0.02)
    assert (await answers(found, 20)) == {"far": 20}
    found.world.put(none, full)
    await until(lambda: mostly("near"), timeout=3, what="near answers again", every=0.02)


async def test_with_the_bug_a_backend_without_endpoints_keeps_its_share(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "near", "far")
    found.world.set_cluster("", {"trust_domain": "cluster.local", "empty_backend_keeps_share": True})
    found.world.put(slices("near", found.apps["near"].port, near_pod="127.0.0.1"), slices("near", 1))
    found.world.load([route(("near", 1), ("far", 1), port=found.outbound_port)])

    async def both() -> bool:
        return {(await found.get(ECHO))[0] for _ in range(20)} == {200, 503}

    await until(both, timeout=5, what="200 and 503", every=0.02)


async def test_the_shares_of_two_backends_are_their_weights(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "one", "two")
    found.world.load([route(("one", 70), ("two", 30), port=found.outbound_port)])

    async def is_split() -> bool:
        return set(await answers(found, 20)) == {"one", "two"}

    await until(is_split, timeout=5, what="both answer", every=0.02)
    share = (await answers(found, 400))["one"] / 400
    assert 0.6 < share < 0.8


async def test_no_request_is_lost_when_a_backend_refuses_connections(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "near", "far")
    port = found.outbound_port
    objects = [slices("near", 1, a="127.0.0.1", b="127.0.0.2")]  # nothing listens at port 1
    found.world.put(slices("near", 0), objects[0])
    found.world.load([route(("near", 100), ("far", 1), port=port)])

    async def far_answers() -> bool:
        return (await found.get(ECHO)) == (200, "far")

    await until(far_answers, timeout=5, what="far answers", every=0.02)
    assert (await answers(found, 50)) == {"far": 50}


async def test_a_request_timeout_answers_504_and_leaves_the_backend_in_use(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    limits = {"request": "100ms"}
    found.world.load([route(("echo", 1), port=found.outbound_port, timeouts=limits)])
    found.apps["echo"].delay = 1

    async def is_504() -> bool:
        return (await found.get(ECHO))[0] == 504

    await until(is_504, timeout=5, what="504", every=0.02)
    found.apps["echo"].delay = 0
    assert (await found.get(ECHO))[0] == 200


async def test_what_no_rule_matches_gets_404(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    matches = [{"path": {"type": "PathPrefix", "value": "/v2"}}]
    found.world.load([route(("echo", 1), port=found.outbound_port, matches=matches)])

    async def is_404() -> bool:
        return (await found.get(ECHO, "/v2example"))[0] == 404

    await until(is_404, timeout=3, what="404", every=0.02)
    assert (await found.get(ECHO, "/v2/x"))[0] == 200


async def test_a_route_to_a_missing_backend_answers_500(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    found.world.load([route(("missing", 1), port=found.outbound_port)])

    async def is_500() -> bool:
        return (await found.get(ECHO))[0] == 500

    await until(is_500, timeout=3, what="500", every=0.02)


async def test_half_of_the_requests_fail_when_half_of_the_weight_is_invalid(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    found.world.load([route(("missing", 1), ("echo", 1), port=found.outbound_port)])

    async def both() -> bool:
        return {(await found.get(ECHO))[0] for _ in range(20)} == {200, 500}

    await until(both, timeout=5, what="200 and 500", every=0.02)


async def test_a_breaker_opens_after_consecutive_failures(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    notes = {
        "balancer.linkerd.io/failure-accrual": "consecutive",
        "balancer.linkerd.io/failure-accrual-consecutive-max-failures": "3",
        "balancer.linkerd.io/failure-accrual-consecutive-min-penalty": "30s",
    }
    plain = service("echo", ECHO, found.outbound_port)
    found.world.put(plain, service("echo", ECHO, found.outbound_port, **notes))
    found.apps["echo"].status = 500

    async def is_open() -> bool:
        return (await found.get(ECHO))[0] == 503

    await until(is_open, timeout=5, what="the breaker opens", every=0.02)
    before = len(found.apps["echo"].seen)
    assert (await found.get(ECHO))[0] == 503
    assert len(found.apps["echo"].seen) == before


async def test_policy_lets_in_only_the_identity_it_names(bench: Any) -> None:
    found = await client_and_server(bench)
    server = {
        "apiVersion": "policy.linkerd.io/v1beta3",
        "kind": "Server",
        "metadata": {"name": "one", "namespace": "shop"},
        "spec": {"podSelector": {}, "port": 9000, "proxyProtocol": "HTTP/1"},
    }
    found.world.load([server])

    async def status() -> int:
        return int((await found.get(ECHO))[0])

    async def is_403() -> bool:
        return await status() == 403

    await until(is_403, timeout=3, what="403", every=0.02)
    found.world.load(
        [
            {
                "kind": "AuthorizationPolicy",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {
                    "targetRef": {"kind": "Server", "name": "one"},
                    "requiredAuthenticationRefs": [{"kind": "ServiceAccount", "name": "web"}],
                },
            }
        ]
    )

    async def is_200() -> bool:
        return await status() == 200

    await until(is_200, timeout=3, what="200", every=0.02)


async def test_an_endpoint_change_reaches_the_proxy_within_100_ms(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "two")
    one, two = found.apps["echo"].port, found.apps["two"].port
    states = [slices("echo", one, a="127.0.0.1"), slices("echo", two, a="127.0.0.1")]
    took = []
    await found.get(ECHO)
    for turn in range(10):
        wanted = ("two", "echo")[turn % 2]
        found.world.put(states[turn % 2], states[(turn + 1) % 2])
        start = time.perf_counter()

        async def has_changed(wanted: str = wanted) -> bool:
            return (await found.get(ECHO))[1] == wanted

        await until(has_changed, timeout=3, what="the change", every=0.001)
        took.append(time.perf_counter() - start)
    assert sorted(took)[-2] < 0.1
