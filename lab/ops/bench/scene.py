"""Builds what the data plane is measured on: in one lab, the mesh's own path and the hand-written chain side
by side, over the same links and with the same app.

west: `client` (our sidecar), `static-client` (its own Envoy); each holds an idle container for the load tool.
east: `backend` (our sidecar, exported flat and through the gateway), `guarded` (the same under a policy),
`static-backend`, `static-gateway`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab.base.wait import until
from lab.controlplane.identity.certificates import (
    check_request,
    issuer,
    key_pem,
    new_key,
    sign,
    signing_request,
    trust_anchor,
)
from lab.controlplane.inject.settings import INBOUND_PORT
from lab.controlplane.proxy.envoy import binary
from lab.kube.client import Client
from lab.kube.kinds import PODS, SERVICE_ACCOUNTS, SERVICES, kind_of
from lab.kube.objects import Object, is_pod_ready, status
from lab.kube.objects import name as name_of
from lab.ops.bench import chain, objects
from lab.ops.bench.chain import APP_PORT, Upstream
from lab.ops.bench.objects import SPACE
from lab.plan.workloads import export_labels
from lab.topology.model import Topology

READY_SECONDS = 40.0
PEER = "static.bench.lab"
GATEWAY_PORT = 5143
FLAT, GATED = "flat", "gated"
GUARDED = "guarded"
FEATURES = {
    GUARDED: (GUARDED, {}),
    "retried": ("backend", {"retry.linkerd.io/http": "5xx", "timeout.linkerd.io/request": "10s"}),
    "broken": ("backend", {"balancer.linkerd.io/failure-accrual": "consecutive"}),
}
"""Services of east with one thing more than the plain flat one: the app behind it, and annotations."""
STATIC_FLAT, STATIC_GATED = "static-flat", "static-gated"


@dataclass(frozen=True)
class Scene:
    """Clients of both clusters of the lab that the measurements run in."""

    west: Client
    east: Client


def topology(name: str) -> Topology:
    """Two linked clusters with nothing in them but the mesh."""
    return Topology.model_validate(
        {
            "name": name,
            "clusters": {"west": {}, "east": {}},
            "links": [{"from": "west", "to": "east", "modes": ["gateway", "flat"]}],
            "images": objects.images(str(binary())),
        }
    )


async def build(scene: Scene) -> None:
    """Put everything in place and wait until it is ready."""
    files = _certificates()
    for client in (scene.west, scene.east):
        await _space(client, files)
    await _servers(scene.east)
    await _apply(scene.east, objects.service(FLAT, export_labels(["flat"]), app="backend"))
    await _apply(scene.east, objects.service(GATED, export_labels(["gateway"]), app="backend"))
    for name, (app, notes) in FEATURES.items():
        plain = objects.service(name, export_labels(["flat"]), app=app)
        await _apply(scene.east, objects.annotated(plain, notes))
    for obj in objects.policy(GUARDED, APP_PORT):
        await _apply(scene.east, obj)
    server = await ready(scene.east, "static-backend")
    await _start(
        scene.east, "static-gateway", chain.gateway({PEER: Upstream(server, APP_PORT, PEER)}), port=False
    )
    balancer = objects.service("static-gateway", {}, GATEWAY_PORT, "static-gateway", "LoadBalancer")
    balancer["spec"]["ports"][0]["targetPort"] = INBOUND_PORT
    await _apply(scene.east, balancer)
    node = await _balancer_address(scene.east)
    await _clients(scene.west, server, node)
    for pod in ("backend", GUARDED, "static-gateway"):
        await ready(scene.east, pod)
    for pod in ("client", "static-client"):
        await ready(scene.west, pod)


async def ready(client: Client, pod: str) -> str:
    """Wait for a pod; returns its address."""

    async def address() -> str:
        found = await client.get(PODS, pod, SPACE)
        return str(status(found)["podIP"]) if is_pod_ready(found) else ""

    return await until(address, timeout=READY_SECONDS, what=f"readiness of pod {SPACE}/{pod}")


async def _space(client: Client, files: dict[str, bytes]) -> None:
    await _apply(client, objects.namespace())

    async def has_account() -> bool:
        return bool(await client.get(SERVICE_ACCOUNTS, "default", SPACE))

    await until(has_account, timeout=READY_SECONDS, what=f"the default service account of {SPACE}")
    await _apply(client, objects.secret(files))


async def _servers(east: Client) -> None:
    await _apply(east, objects.configuration("backend", chain.backend()))
    await _apply(east, objects.configuration("server", chain.server_sidecar()))
    app = objects.envoy("backend", "app")
    for name in ("backend", GUARDED):
        await _apply(east, objects.pod(name, [app], meshed=True))
    await _apply(
        east,
        objects.pod(
            "static-backend",
            [objects.envoy("backend", "app", ready=False), objects.envoy("server", ready=False)],
            meshed=False,
            captured=True,
        ),
    )


async def _clients(west: Client, server: str, node: str) -> None:
    addresses = {}
    for name in (STATIC_FLAT, STATIC_GATED):
        made = await _apply(west, objects.service(name, {}))
        addresses[name] = str(made["spec"]["clusterIP"])
    upstreams = {
        addresses[STATIC_FLAT]: Upstream(server, APP_PORT, PEER),
        addresses[STATIC_GATED]: Upstream(node, GATEWAY_PORT, PEER, host=PEER),
    }
    await _apply(west, objects.configuration("client", chain.client_sidecar(upstreams)))
    proxy = objects.envoy("client", ready=False)
    await _apply(west, objects.pod("client", [objects.idle()], meshed=True))
    await _apply(west, objects.pod("static-client", [objects.idle(), proxy], meshed=False, captured=True))


async def _start(client: Client, name: str, config: chain.Message, *, port: bool) -> None:
    await _apply(client, objects.configuration(name, config))
    await _apply(client, objects.pod(name, [objects.envoy(name, ready=port)], meshed=False))


async def _balancer_address(client: Client) -> str:
    async def address() -> str:
        found = await client.get(SERVICES, "static-gateway", SPACE)
        points = (status(found).get("loadBalancer") or {}).get("ingress") or [{}]
        return str(points[0].get("ip", ""))

    return await until(address, timeout=READY_SECONDS, what="an address of the static gateway's Service")


async def _apply(client: Client, obj: Object) -> Object:
    return await client.apply(kind_of(obj), obj, manager=f"bench-{name_of(obj)}")


def _certificates() -> dict[str, bytes]:
    """One certificate for all hops of the chain, from an authority of its own, of the mesh's key type."""
    now = datetime.now(UTC)
    anchor = trust_anchor("root.bench.lab", now)
    signer = issuer("issuer.bench.lab", anchor, now)
    key = new_key()
    request = check_request(signing_request(key, PEER), PEER)
    certificate = sign(request, PEER, signer, now, timedelta(days=1))
    return {"cert.pem": certificate, "key.pem": key_pem(key), "ca.pem": anchor.certificate}
