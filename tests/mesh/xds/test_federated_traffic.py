"""A federated service over real Envoys: its pods are in two clusters, and each counts by itself."""

from typing import Any

from lab.base.wait import until
from tests.mesh.xds.test_breaker import LONG
from tests.mesh.xds.test_policy import allow, policy, server
from tests.mesh.xds.test_traffic import answers, pod, service, slices

UNION = "127.0.1.7"
CLIENT_ID = "web.shop.serviceaccount.identity.linkerd.cluster.local"


async def federated(bench: Any, **notes: str) -> Any:
    """`echo-federated` with the unmeshed pod `here` of this cluster and the meshed pod `there` of east."""
    found = await bench("objects: []")
    here, _ = await found.app("here"), await found.app("there")
    port = found.outbound_port
    members = {
        "multicluster.linkerd.io/remote-discovery": "echo@east",
        "multicluster.linkerd.io/local-discovery": "echo",
    }
    union = service("echo-federated", UNION, port, **members, **notes)
    union["metadata"]["labels"] = {"mirror.linkerd.io/mirrored-service": "true"}
    there = pod("there", "127.0.2.1:9000")
    local = [pod("client", account="web"), service("echo", "127.0.1.8", port), union, there]
    found.world.load([*local, slices("echo", here.port, here_pod="127.0.0.1")])
    found.world.set_cluster("east", {"trust_domain": "cluster.local"})
    remote = [service("echo", "127.0.1.9", port), slices("echo", 9000, there="127.0.2.1"), there]
    found.world.load(remote, "east")
    await found.envoy("client", account="web")
    await found.envoy("there")
    return found


async def become(found: Any, *names: str) -> None:
    async def only_these() -> bool:
        return set(await answers(found, 16, UNION)) == set(names)

    await until(only_these, timeout=8, what=f"answers of {names}", every=0.02)


async def test_both_clusters_answer_and_the_remote_pod_sees_the_client(bench: Any) -> None:
    found = await federated(bench)
    await become(found, "here", "there")
    assert found.apps["there"].seen[-1]["l5d-client-id"] == CLIENT_ID


async def test_a_breaker_takes_one_clusters_failing_pod_out_and_leaves_the_other(bench: Any) -> None:
    found = await federated(bench, **LONG)
    await become(found, "here", "there")
    found.apps["there"].status = 500

    async def is_out() -> bool:
        return [(await found.get(UNION))[0] for _ in range(20)] == [200] * 20

    await until(is_out, timeout=5, what="the failing pod is out", every=0.02)
    seen = len(found.apps["there"].seen)
    assert set(await answers(found, 20, UNION)) == {"here"}
    assert len(found.apps["there"].seen) == seen


async def test_a_failed_answer_of_one_cluster_is_tried_again_in_the_other(bench: Any) -> None:
    notes = {"retry.linkerd.io/http": "5xx", "retry.linkerd.io/limit": "8"}
    found = await federated(bench, **notes)
    await become(found, "here", "there")
    found.apps["there"].status = 503
    assert {(await found.get(UNION))[0] for _ in range(20)} == {200}
    assert 503 not in {(await found.get(UNION))[0] for _ in range(20)}


async def test_the_policy_of_the_target_tells_clients_of_other_clusters_apart(bench: Any) -> None:
    found = await federated(bench)
    await become(found, "here", "there")
    found.world.load([server(port=9000, proxyProtocol="HTTP/1"), allow(("MeshTLSAuthentication", "some"))])
    found.world.load([policy("MeshTLSAuthentication", "some", identities=["nobody.shop"])])

    async def statuses() -> set[int]:
        return {(await found.get(UNION))[0] for _ in range(12)}

    async def refuses() -> bool:
        return await statuses() == {200, 403}

    await until(refuses, timeout=8, what="east refuses, west answers", every=0.02)
    nobody = policy("MeshTLSAuthentication", "some", identities=["nobody.shop"])
    found.world.put(nobody, policy("MeshTLSAuthentication", "some", identities=[CLIENT_ID]))

    async def lets_in() -> bool:
        return await statuses() == {200}

    await until(lets_in, timeout=8, what="the client is let in", every=0.02)
