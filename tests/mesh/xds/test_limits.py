"""Timeouts and retries by annotation, on Services and on routes, over real traffic."""

import io
from typing import Any

import aiohttp
import grpc
import pytest

from lab.base.wait import until
from tests.mesh.xds.test_traffic import ECHO, pod, route, service, slices

TIMEOUT, RETRY = "timeout.linkerd.io/", "retry.linkerd.io/"


async def annotated(bench: Any, **notes: str) -> Any:
    """A client, and Service `echo` with annotations and an unmeshed app behind it."""
    found = await bench("objects: []")
    app = await found.app("echo")
    found.world.load(
        [
            pod("client", account="web"),
            service("echo", ECHO, found.outbound_port, **notes),
            slices("echo", app.port, echo_pod="127.0.0.1"),
        ]
    )
    await found.envoy("client", account="web")
    return found


async def eventually(found: Any, status: int, **options: Any) -> None:
    async def is_so() -> bool:
        return (await found.get(ECHO, **options))[0] == status

    await until(is_so, timeout=5, what=str(status), every=0.02)


@pytest.mark.parametrize("name", ["request", "response"])
async def test_a_timeout_of_a_service_answers_504_and_leaves_the_endpoint_in_use(
    bench: Any, name: str
) -> None:
    found = await annotated(bench, **{TIMEOUT + name: "100ms"})
    found.apps["echo"].delay = 1
    await eventually(found, 504)
    found.apps["echo"].delay = 0
    assert (await found.get(ECHO))[0] == 200


async def test_the_limit_of_a_response_bounds_all_tries_of_a_request_together(bench: Any) -> None:
    """Linkerd bounds each try by it; retry.linkerd.io/timeout does so in both."""
    notes = {TIMEOUT + "response": "700ms", RETRY + "http": "5xx", RETRY + "limit": "20"}
    found = await annotated(bench, **notes)
    found.apps["echo"].status, found.apps["echo"].delay = 500, 0.2
    assert (await found.get(ECHO))[0] == 504
    assert 2 <= len(found.apps["echo"].seen) <= 4


async def test_an_idle_stream_is_given_up(bench: Any) -> None:
    found = await annotated(bench, **{TIMEOUT + "idle": "200ms"})
    found.apps["echo"].delay = 2
    await eventually(found, 504)


@pytest.mark.parametrize(
    ("notes", "first", "status", "seen"),
    [
        ({"http": "5xx"}, [500], 200, 2),
        ({"http": "5xx"}, [500, 500], 500, 2),
        ({"http": "5xx", "limit": "3"}, [500, 502, 503], 200, 4),
        ({"http": "5xx", "limit": "0"}, [500], 200, 2),
        ({"http": "gateway-error"}, [500], 500, 1),
        ({"http": "gateway-error"}, [502], 200, 2),
        ({"http": "429,500-502"}, [501], 200, 2),
        ({"http": "429,500-502"}, [503], 503, 1),
        ({"limit": "3"}, [500], 500, 1),
    ],
)
async def test_answers_that_an_annotation_names_are_tried_again(
    bench: Any, notes: dict[str, str], first: list[int], status: int, seen: int
) -> None:
    found = await annotated(bench, **{RETRY + name: value for name, value in notes.items()})
    await eventually(found, 200)
    before = len(found.apps["echo"].seen)
    found.apps["echo"].first = list(first)
    assert (await found.get(ECHO))[0] == status
    assert len(found.apps["echo"].seen) - before == seen


async def test_a_try_that_takes_too_long_is_tried_again(bench: Any) -> None:
    found = await annotated(bench, **{RETRY + "http": "5xx", RETRY + "timeout": "200ms"})
    found.apps["echo"].delay = 1
    await eventually(found, 504)
    before = len(found.apps["echo"].seen)
    assert (await found.get(ECHO))[0] == 504
    assert len(found.apps["echo"].seen) - before == 2


async def test_a_routes_annotations_replace_those_of_its_service_by_group(bench: Any) -> None:
    found = await annotated(bench, **{RETRY + "http": "5xx", TIMEOUT + "request": "200ms"})
    above = route(("echo", 1), port=found.outbound_port)
    above["metadata"]["annotations"] = {RETRY + "http": "501"}
    found.world.load([above])
    found.apps["echo"].status = 500

    async def is_tried_once() -> bool:
        before = len(found.apps["echo"].seen)
        await found.get(ECHO)
        return len(found.apps["echo"].seen) - before == 1

    await until(is_tried_once, timeout=5, what="the route's retries count", every=0.02)
    found.apps["echo"].delay = 1
    assert (await found.get(ECHO))[0] == 504


async def test_an_http_route_of_linkerds_own_group_limits_requests_beside_one_of_the_same_name(
    bench: Any,
) -> None:
    found = await annotated(bench)
    slow = [{"path": {"type": "PathPrefix", "value": "/slow"}}]
    own = route(("echo", 1), port=found.outbound_port, timeouts={"request": "100ms"}, matches=slow)
    own["apiVersion"] = "policy.linkerd.io/v1beta3"
    other = route(("echo", 1), port=found.outbound_port, timeouts={"request": "5s"})
    found.world.load([own, other])
    found.apps["echo"].delay = 0.5

    async def is_limited() -> bool:
        return (await found.get(ECHO, "/slow"))[0] == 504

    await until(is_limited, timeout=5, what="504", every=0.02)
    assert (await found.get(ECHO, "/"))[0] == 200


async def test_a_mesh_of_2_14_does_not_know_the_annotations(bench: Any) -> None:
    found = await annotated(bench, **{RETRY + "http": "5xx", TIMEOUT + "request": "100ms"})
    await eventually(found, 200)
    found.world.set_cluster("", {"route_annotations": False})
    found.apps["echo"].status = 500

    async def is_tried_once() -> bool:
        before = len(found.apps["echo"].seen)
        await found.get(ECHO)
        return len(found.apps["echo"].seen) - before == 1

    await until(is_tried_once, timeout=5, what="no retry", every=0.02)
    found.apps["echo"].status, found.apps["echo"].delay = 200, 0.3
    assert (await found.get(ECHO))[0] == 200


async def test_a_large_body_is_not_sent_twice(bench: Any) -> None:
    """Linkerd's limit is 64 KiB; here it is what the proxy buffers of a connection, 1 MiB."""
    found = await annotated(bench, **{RETRY + "http": "5xx"})
    await eventually(found, 200)
    found.apps["echo"].status = 500
    tries = []
    for size in (1 << 18, 1 << 22):
        before = len(found.apps["echo"].seen)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{ECHO}:{found.outbound_port}/", data=io.BytesIO(b"x" * size)) as answer,
        ):
            assert answer.status == 500
        tries.append(len(found.apps["echo"].seen) - before)
    assert tries == [2, 1]


async def test_a_grpc_status_that_an_annotation_names_is_tried_again(bench: Any) -> None:
    codes = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL]
    tries = 0

    async def say(_request: bytes, context: Any) -> bytes:
        nonlocal tries
        tries += 1
        if codes:
            await context.abort(codes.pop(0), "not now")
        return b"said"

    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(say)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", {"Say": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    found = await bench("objects: []")
    notes = {RETRY + "grpc": "unavailable,internal", RETRY + "limit": "2"}
    echo = service("echo", ECHO, found.outbound_port, **notes)
    found.world.load([pod("client", account="web"), echo, slices("echo", port, echo_pod="127.0.0.1")])
    await found.envoy("client", account="web")
    async with grpc.aio.insecure_channel(f"{ECHO}:{found.outbound_port}") as channel:
        assert await channel.unary_unary("/echo.Echo/Say")(b"", timeout=5) == b"said"
    await server.stop(0)
    assert tries == 3
