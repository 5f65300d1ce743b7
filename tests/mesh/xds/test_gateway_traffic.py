"""A service reached through a real gateway: by HTTP, as opaque TCP, and not at all."""

import asyncio
from typing import Any

from lab.base.wait import until

ECHO, MIRROR, PRIVATE = "127.0.1.1", "127.0.1.3", "127.0.1.4"
GATEWAY = "127.0.3.1"
GATEWAY_ID = "linkerd-gateway.shop.serviceaccount.identity.linkerd.cluster.local"


def meta(name: str, labels: dict[str, str] | None = None, **notes: str) -> dict[str, Any]:
    return {"name": name, "namespace": "shop", "labels": labels or {}, "annotations": notes}


def pod(name: str, account: str, listen: str = "", **notes: str) -> dict[str, Any]:
    marks = {"linkerd.io/control-plane-ns": "linkerd"} if listen else {}
    found = {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, marks, **notes)}
    if listen:
        found["metadata"]["annotations"]["test/listen"] = listen
    return {**found, "spec": {"serviceAccountName": account}}


def mirror_of(name: str, ip: str, port: int, notes: dict[str, str]) -> list[dict[str, Any]]:
    """A gateway mirror of Service `name`, with its endpoints."""
    marks = {"mirror.linkerd.io/mirrored-service": "true"}
    remote = {"mirror.linkerd.io/remote-svc-fq-name": f"{name}.shop.svc.cluster.local"}
    identity = {"mirror.linkerd.io/remote-gateway-identity": GATEWAY_ID}
    spec = {"clusterIP": ip, "ports": [{"name": "http", "port": port}]}
    subset = {"addresses": [{"ip": GATEWAY}], "ports": [{"name": "http", "port": 9443}]}
    return [
        {"kind": "Service", "metadata": meta(f"{name}-east", marks, **remote, **notes), "spec": spec},
        {
            "kind": "Endpoints",
            "metadata": meta(f"{name}-east", marks, **remote, **identity),
            "subsets": [subset],
        },
    ]


async def through_gateway(bench: Any, **notes: str) -> Any:
    """Service `echo`, exported, with pod `one`; `private`, not exported; mirrors of both; a gateway."""
    found = await bench("objects: []")
    await found.app("one")
    port = found.outbound_port
    if "opaque" in notes:
        notes = {"config.linkerd.io/opaque-ports": f"{port},9000"}
    spec = {"ports": [{"name": "http", "port": port, "targetPort": 9000}]}
    exported = {"mirror.linkerd.io/exported": "true"}
    target = {"kind": "Pod", "name": "one", "namespace": "shop"}
    objects = [
        pod("client", "web"),
        pod("gw", "linkerd-gateway", f"{GATEWAY}:9443"),
        pod("one", "default", "127.0.2.1:9000", **notes),
        {"kind": "Service", "metadata": meta("echo", exported, **notes), "spec": {"clusterIP": ECHO, **spec}},
        {"kind": "Service", "metadata": meta("private"), "spec": {"clusterIP": PRIVATE, **spec}},
        {
            "kind": "EndpointSlice",
            "metadata": meta("echo-x", {"kubernetes.io/service-name": "echo"}),
            "ports": [{"name": "http", "port": 9000}],
            "endpoints": [{"addresses": ["127.0.2.1"], "targetRef": target}],
        },
        *mirror_of("echo", MIRROR, port, notes),
        *mirror_of("private", "127.0.1.5", port, {}),
    ]
    found.world.load(objects)
    await asyncio.gather(
        found.envoy("one"),
        found.envoy("gw", role="gateway", account="linkerd-gateway"),
        found.envoy("client", account="web"),
    )
    return found


async def test_the_target_sees_the_gateway_and_is_told_for_whom(bench: Any) -> None:
    found = await through_gateway(bench)
    assert await found.get(MIRROR) == (200, "one")
    seen = found.apps["one"].seen[-1]
    assert seen["l5d-client-id"] == GATEWAY_ID
    client = "web.shop.serviceaccount.identity.linkerd.cluster.local"
    assert seen["forwarded"].startswith(f"by={GATEWAY_ID};for={client};host=")
    assert seen["host"] == f"echo.shop.svc.cluster.local:{found.outbound_port}"
    assert "l5d-dst-authority" not in seen


async def test_what_is_not_exported_is_not_served(bench: Any) -> None:
    found = await through_gateway(bench)
    assert (await found.get("127.0.1.5"))[0] == 404


async def test_what_this_gateway_forwarded_before_is_refused_with_508(bench: Any) -> None:
    found = await through_gateway(bench)
    looped = {"forwarded": f"by={GATEWAY_ID};for=x;host=y;proto=https"}
    assert (await found.get(MIRROR, headers=looped))[0] == 508


async def test_opaque_connections_pass_the_gateway_as_bytes(bench: Any) -> None:
    found = await through_gateway(bench, opaque="yes")
    assert await found.get(MIRROR) == (200, "one")
    assert "forwarded" not in found.apps["one"].seen[-1]
    assert "l5d-client-id" not in found.apps["one"].seen[-1]


async def test_one_pod_of_a_headless_service_is_reached_by_its_name(bench: Any) -> None:
    found = await through_gateway(bench)
    await found.app("two")
    other = {"kind": "Pod", "name": "two", "namespace": "shop"}
    first = {"kind": "Pod", "name": "one", "namespace": "shop"}
    port = found.outbound_port
    exported = meta("db", {"mirror.linkerd.io/exported": "true"})
    spec = {"clusterIP": "None", "ports": [{"name": "http", "port": port, "targetPort": 9000}]}
    slice_ = {
        "kind": "EndpointSlice",
        "metadata": meta("db-x", {"kubernetes.io/service-name": "db"}),
        "ports": [{"name": "http", "port": 9000}],
        "endpoints": [
            {"addresses": ["127.0.2.1"], "hostname": "db-0", "targetRef": first},
            {"addresses": ["127.0.2.2"], "hostname": "db-1", "targetRef": other},
        ],
    }
    mirror, endpoints = mirror_of("db", "127.0.1.6", port, {})
    name = {"mirror.linkerd.io/remote-svc-fq-name": "db-1.db.shop.svc.cluster.local"}
    for obj in (mirror, endpoints):
        obj["metadata"]["annotations"].update(name)
    two = pod("two", "default", "127.0.2.2:9000")
    found.world.load(
        [two, {"kind": "Service", "metadata": exported, "spec": spec}, slice_, mirror, endpoints]
    )
    await found.envoy("two")

    async def answer() -> str:
        return str((await found.get("127.0.1.6"))[1])

    async def is_two() -> bool:
        return await answer() == "two"

    await until(is_two, timeout=5, what="pod db-1 answers", every=0.02)
    assert {await answer() for _ in range(10)} == {"two"}
