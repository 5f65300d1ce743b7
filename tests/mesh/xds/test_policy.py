"""Who gets in where: policy objects, and what real proxies answer to real clients at their real listeners."""

import asyncio
from typing import Any

import aiohttp
import grpc
import pytest

from lab.base.wait import until
from lab.controlplane.model.pods import inbound
from tests.mesh.xds.test_traffic import ECHO, pod, service, slices

POD = "127.0.2.1"
CONTAINERS = [
    {"name": "linkerd-proxy", "ports": [{"name": "linkerd-proxy", "containerPort": 4143}]},
    {
        "name": "app",
        "ports": [{"name": "http", "containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
    },
]
DEFAULT = "config.linkerd.io/default-inbound-policy"
REQUIRE = "config.linkerd.io/proxy-require-identity-inbound-ports"


def policy(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    version = {"Server": "v1beta3", "HTTPRoute": "v1beta3", "ServerAuthorization": "v1beta1"}
    return {
        "apiVersion": f"policy.linkerd.io/{version.get(kind, 'v1alpha1')}",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def server(**spec: Any) -> dict[str, Any]:
    return policy("Server", "one", **{"podSelector": {}, "port": "http", **spec})


def allow(*refs: tuple[str, str], target: tuple[str, str] = ("Server", "one")) -> dict[str, Any]:
    """An AuthorizationPolicy that needs all of `refs`."""
    needed = [{"kind": kind, "name": name} for kind, name in refs]
    wanted = {"group": "policy.linkerd.io", "kind": target[0], "name": target[1]}
    return policy("AuthorizationPolicy", target[1], targetRef=wanted, requiredAuthenticationRefs=needed)


def inbound_route(name: str, path: str) -> dict[str, Any]:
    parent = {"group": "policy.linkerd.io", "kind": "Server", "name": "one"}
    matches = [{"path": {"type": "PathPrefix", "value": path}}]
    return policy("HTTPRoute", name, parentRefs=[parent], rules=[{"matches": matches}])


WEB = ("ServiceAccount", "web")
SOMEBODY = ("ServiceAccount", "somebody")


class Gate:
    """Service `echo` with one pod that has a policy, and clients: meshed as `web`, and plaintext."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench

    async def meshed(self, path: str = "/") -> int:
        return int((await self.bench.get(ECHO, path))[0])

    async def plain(self, path: str = "/") -> int:
        async with aiohttp.ClientSession() as session, session.get(f"http://{POD}:9000{path}") as answer:
            return answer.status

    async def settle(self, wanted: int, path: str = "/") -> None:
        """Wait until the meshed client is answered `wanted`: the policy has arrived."""

        async def is_so() -> bool:
            return await self.meshed(path) == wanted

        await until(is_so, timeout=5, what=f"{wanted} at {path}", every=0.02)

    def load(self, *objects: dict[str, Any]) -> None:
        self.bench.world.load(objects)


@pytest.fixture
def gate(bench: Any) -> Any:
    """Make a gate in front of a pod with these annotations, and with these policy objects from the start."""

    async def make(*objects: dict[str, Any], opaque: bool = False, **notes: str) -> Gate:
        found = await bench("{objects: [], settings: {cluster_networks: [127.0.0.0/8]}}")
        await found.app("one")
        guarded = pod("one", f"{POD}:9000", **notes)
        guarded["spec"]["containers"] = CONTAINERS
        ports = f"9000,{found.outbound_port}"
        marks = {"config.linkerd.io/opaque-ports": ports} if opaque else {}
        guarded["metadata"]["annotations"].update(marks)
        echo = service("echo", ECHO, found.outbound_port, **marks)
        found.world.load([pod("client", account="web"), guarded, echo, slices("echo", 9000, one=POD)])
        found.world.load(objects)
        await asyncio.gather(found.envoy("client", account="web"), found.envoy("one"))
        return Gate(found)

    return make


@pytest.mark.parametrize(
    ("name", "meshed", "plain"),
    [
        ("all-unauthenticated", 200, 200),
        ("all-authenticated", 200, 403),
        ("cluster-unauthenticated", 200, 200),
        ("cluster-authenticated", 200, 403),
        ("deny", 403, 403),
        ("audit", 200, 200),
        ("all-authentic", 403, 403),  # no such policy; Linkerd would take the cluster's default
    ],
)
async def test_a_default_policy_lets_in(gate: Any, name: str, meshed: int, plain: int) -> None:
    found = await gate(**{DEFAULT: name})
    assert (await found.meshed(), await found.plain()) == (meshed, plain)


@pytest.mark.parametrize("name", ["cluster-unauthenticated", "cluster-authenticated"])
async def test_a_cluster_policy_refuses_addresses_outside_of_it(gate: Any, name: str) -> None:
    found = await gate(**{DEFAULT: name})
    found.bench.world.set_cluster("", {"cluster_networks": ["10.0.0.0/8"]})
    await found.settle(403)
    assert await found.plain() == 403


async def test_a_namespace_states_the_default_of_its_pods(gate: Any) -> None:
    notes = {"metadata": {"name": "shop", "annotations": {DEFAULT: "deny"}}}
    found = await gate({"apiVersion": "v1", "kind": "Namespace", **notes})
    assert await found.meshed() == 403


async def test_a_port_may_require_identity_by_annotation(gate: Any) -> None:
    found = await gate(**{REQUIRE: "9000"})
    assert (await found.meshed(), await found.plain()) == (200, 403)


async def test_a_probe_is_let_in_without_identity_at_its_path_only(gate: Any) -> None:
    found = await gate(**{DEFAULT: "deny"})
    assert (await found.plain("/ready?full"), await found.plain("/other")) == (200, 403)


MESH_TLS = ("MeshTLSAuthentication", "them")
NETWORK = ("NetworkAuthentication", "near")
NEAR = policy("NetworkAuthentication", "near", networks=[{"cidr": "127.0.0.0/8"}])
FAR = policy("NetworkAuthentication", "near", networks=[{"cidr": "10.0.0.0/8"}])
BUT = [{"cidr": "127.0.0.0/8", "except": ["127.0.0.1/32"]}]
EXCEPT = policy("NetworkAuthentication", "near", networks=BUT)
IDENTITY = "serviceaccount.identity.linkerd.cluster.local"


@pytest.mark.parametrize(
    ("objects", "status"),
    [
        ([], 403),
        ([allow(WEB)], 200),
        ([allow(SOMEBODY)], 403),
        ([allow()], 200),
        ([allow(MESH_TLS)], 403),
        ([allow(MESH_TLS), policy(*MESH_TLS, identities=["*"])], 200),
        ([allow(MESH_TLS), policy(*MESH_TLS, identities=[f"web.shop.{IDENTITY}"])], 200),
        ([allow(MESH_TLS), policy(*MESH_TLS, identities=[f"*.shop.{IDENTITY}"])], 200),
        ([allow(MESH_TLS), policy(*MESH_TLS, identities=[f"*.other.{IDENTITY}"])], 403),
        ([allow(MESH_TLS), policy(*MESH_TLS, identityRefs=[{"kind": "ServiceAccount", "name": "web"}])], 200),
        ([allow(MESH_TLS), policy(*MESH_TLS, identityRefs=[{"kind": "Namespace", "name": "shop"}])], 200),
        ([allow(MESH_TLS), policy(*MESH_TLS, identityRefs=[{"kind": "Namespace", "name": "web"}])], 403),
        ([allow(NETWORK), NEAR], 200),
        ([allow(NETWORK), FAR], 403),
        ([allow(NETWORK), EXCEPT], 403),
        ([allow(WEB, NETWORK), NEAR], 200),
        ([allow(WEB, NETWORK), FAR], 403),
        ([allow(SOMEBODY, NETWORK), NEAR], 403),
        ([allow(WEB, target=("Namespace", "shop"))], 200),
        ([allow(WEB, target=("Namespace", "other"))], 403),
        ([policy("ServerAuthorization", "x", server={"name": "one"}, client={"unauthenticated": True})], 200),
        ([policy("ServerAuthorization", "x", server={"name": "two"}, client={"unauthenticated": True})], 403),
    ],
)
async def test_a_server_lets_in_whom_its_authorizations_name(
    gate: Any, objects: list[dict[str, Any]], status: int
) -> None:
    found = await gate(server(), *objects)
    assert await found.meshed() == status


async def test_a_server_authorization_names_service_accounts(gate: Any) -> None:
    client = {"meshTLS": {"serviceAccounts": [{"name": "web"}]}}
    named = policy("ServerAuthorization", "x", server={"selector": {}}, client=client)
    found = await gate(server(), named)
    assert (await found.meshed(), await found.plain()) == (200, 403)


async def test_an_access_policy_adds_to_what_is_authorized(gate: Any) -> None:
    found = await gate(server(accessPolicy="all-authenticated"), allow(SOMEBODY))
    assert (await found.meshed(), await found.plain()) == (200, 403)


async def test_a_change_of_policy_holds_for_connections_that_are_open(gate: Any) -> None:
    found = await gate()
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def status() -> int:
            async with session.get(f"http://{POD}:9000/") as answer:
                await answer.read()
                return answer.status

        assert await status() == 200
        found.load(server(), inbound_route("all", "/"), allow(WEB, target=("HTTPRoute", "all")))

        async def is_refused() -> bool:
            return await status() == 403

        await until(is_refused, timeout=5, what="the open connection is refused", every=0.02)


async def test_each_route_of_a_server_is_authorized_by_itself(gate: Any) -> None:
    found = await gate(
        server(),
        inbound_route("all", "/"),
        inbound_route("admin", "/admin"),
        allow(target=("HTTPRoute", "all")),
        allow(SOMEBODY, target=("HTTPRoute", "admin")),
    )
    assert [await found.meshed(path) for path in ("/", "/administer", "/admin", "/admin/x")] == [
        200,
        200,
        403,
        403,
    ]


def grpc_route(name: str, method: str) -> dict[str, Any]:
    made = inbound_route(name, "/")
    made |= {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute"}
    made["spec"]["rules"] = [{"matches": [{"method": {"service": "echo.Echo", "method": method}}]}]
    return made


async def test_each_method_of_a_grpc_service_is_authorized_by_its_route(gate: Any) -> None:
    admitted = allow(WEB, target=("GRPCRoute", "say"))
    admitted["spec"]["targetRef"]["group"] = "gateway.networking.k8s.io"
    found = await gate(server(), grpc_route("say", "Say"), grpc_route("reset", "Reset"), admitted)
    paths = ("/echo.Echo/Say", "/echo.Echo/Reset", "/echo.Echo/Other")
    assert [await found.meshed(path) for path in paths] == [200, 403, 404]


async def test_an_authorization_says_nothing_of_a_route_of_another_group(gate: Any) -> None:
    other = allow(WEB, target=("HTTPRoute", "all"))
    other["spec"]["targetRef"]["group"] = "gateway.networking.k8s.io"
    found = await gate(server(), inbound_route("all", "/"), other)
    assert await found.meshed() == 403


async def test_what_is_authorized_for_a_server_is_so_for_its_routes(gate: Any) -> None:
    found = await gate(server(), inbound_route("all", "/"), allow(WEB))
    assert (await found.meshed(), await found.plain()) == (200, 403)


async def test_a_request_that_fits_no_route_of_a_server_gets_404(gate: Any) -> None:
    found = await gate(server(), inbound_route("items", "/items"), allow(WEB))
    assert (await found.meshed("/items"), await found.meshed("/other")) == (200, 404)


async def test_a_probe_needs_a_route_once_its_server_has_routes(gate: Any) -> None:
    found = await gate(server(), inbound_route("items", "/items"), allow(WEB))
    assert await found.plain("/ready") == 404
    found.load(inbound_route("probe", "/ready"), allow(target=("HTTPRoute", "probe")))
    await found.settle(200, "/ready")
    assert await found.plain("/ready") == 200


async def test_a_route_may_be_for_some_hosts_only(gate: Any) -> None:
    inside = inbound_route("inside", "/")
    inside["spec"]["hostnames"] = ["*.shop.example"]
    found = await gate(server(), inside, allow(WEB))
    statuses = []
    for host in ("front.shop.example", "front.shop.example:80", "front.example"):
        statuses.append((await found.bench.get(ECHO, headers={"host": host}))[0])
    assert statuses == [200, 200, 404]


async def test_a_named_port_may_be_that_of_the_proxy_which_is_an_init_container(gate: Any) -> None:
    """As the gateway's Server names it."""
    found = await gate()
    before = found.bench.world.graph.peek(("pod", "", "shop", "one"))
    proxy = {"name": "linkerd-proxy", "restartPolicy": "Always", "ports": CONTAINERS[0]["ports"]}
    spec = {**before["spec"], "containers": CONTAINERS[1:], "initContainers": [proxy]}
    found.bench.world.put({**before, "kind": "Pod"}, {**before, "kind": "Pod", "spec": spec})
    found.load(server(port="linkerd-proxy"))
    known = found.bench.world.graph.get(inbound, "shop", "one")
    assert [port.port for port in known.ports if port.policy.name == "shop/one"] == [4143]


async def test_of_two_servers_for_a_port_the_older_decides(gate: Any) -> None:
    older, newer = server(accessPolicy="all-unauthenticated"), server()
    older["metadata"] = {**older["metadata"], "name": "z", "creationTimestamp": "2026-01-01T00:00:00Z"}
    newer["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    found = await gate(older, newer)
    assert await found.meshed() == 200


async def test_routes_of_one_port_say_nothing_about_others(gate: Any) -> None:
    found = await gate(server(port=9001), inbound_route("items", "/items"))
    assert await found.meshed("/other") == 200


async def test_a_refused_grpc_call_ends_with_permission_denied(gate: Any) -> None:
    found = await gate(server(proxyProtocol="gRPC"))
    async with grpc.aio.insecure_channel(f"{ECHO}:{found.bench.outbound_port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as seen:
            await channel.unary_unary("/echo.Echo/Say")(b"", timeout=5)
    assert seen.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_refused_tcp_connection_is_closed_before_a_byte_arrives(gate: Any) -> None:
    found = await gate(server(proxyProtocol="opaque"), opaque=True)
    with pytest.raises(aiohttp.ClientError):
        await found.meshed()
    assert not found.bench.apps["one"].seen
    found.load(allow(WEB))

    async def is_open() -> bool:
        try:
            return await found.meshed() == 200
        except aiohttp.ClientError:
            return False

    await until(is_open, timeout=5, what="the connection is let in", every=0.02)


async def test_audit_writes_down_whom_nothing_else_lets_in(gate: Any) -> None:
    found = await gate(server(accessPolicy="audit"), allow(WEB))
    assert (await found.meshed("/known"), await found.plain("/stranger")) == (200, 200)
    log = found.bench.directory / "one.shop" / "envoy.log"

    async def is_written() -> bool:
        return "/stranger" in log.read_text()

    await until(is_written, timeout=15, what="the audit line", every=0.1)
    assert "/known" not in log.read_text()
