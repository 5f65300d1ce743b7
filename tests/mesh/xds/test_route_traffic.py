"""What HTTPRoutes and GRPCRoutes do to real traffic, beyond what the conformance suite looks at."""

import asyncio
import time
from collections import Counter
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest

from lab.apps.advanced import server, wire
from lab.base.wait import until
from tests.mesh.xds.test_traffic import ECHO, route, service, slices, unmeshed

PROBE = {
    "matches": [{"path": {"type": "Exact", "value": "/probe"}}],
    "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302}}],
}


def prefix(value: str, **more: Any) -> dict[str, Any]:
    return {"path": {"type": "PathPrefix", "value": value}, **more}


def to(*names: str, found: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "port": found.outbound_port, **more} for name in names]


async def apply(found: Any, *rules: dict[str, Any], **meta: Any) -> None:
    """Load an HTTPRoute on `echo` with these rules and wait until the proxy has it."""
    obj = route(port=found.outbound_port)
    obj["spec"]["rules"] = [*rules, PROBE]
    obj["metadata"] |= meta
    found.world.load([obj])

    async def is_there() -> bool:
        return (await found.get(ECHO, "/probe"))[0] == 302

    await until(is_there, timeout=5, what="the route is in effect", every=0.02)
    for app in found.apps.values():
        app.seen.clear()  # probes that came before the route did


async def request(found: Any, path: str = "/", method: str = "GET", **options: Any) -> Any:
    """(status, headers) of an answer."""
    url = f"http://{ECHO}:{found.outbound_port}{path}"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.request(method, url, allow_redirects=False, **options) as answer,
    ):
        await answer.read()
        return answer.status, answer.headers


def replaced(kind: str, value: str) -> dict[str, str]:
    return {"type": kind, kind[0].lower() + kind[1:]: value}


@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        ({"hostname": "other.test"}, "http://other.test/old/one?a=b"),
        ({"scheme": "https", "hostname": "other.test"}, "https://other.test/old/one?a=b"),
        ({"scheme": "https", "hostname": "other.test", "port": 443}, "https://other.test/old/one?a=b"),
        ({"hostname": "other.test", "port": 8080}, "http://other.test:8080/old/one?a=b"),
        ({"port": 8443}, "http://echo.test:8443/old/one?a=b"),
        ({"port": 80}, "http://echo.test:80/old/one?a=b"),
        ({"scheme": "https"}, "https://echo.test:443/old/one?a=b"),
        ({"path": replaced("ReplaceFullPath", "/new")}, "http://echo.test:PORT/new?a=b"),
        ({"path": replaced("ReplacePrefixMatch", "/new")}, "http://echo.test:PORT/new/one?a=b"),
        ({"path": replaced("ReplacePrefixMatch", "/")}, "http://echo.test:PORT/one?a=b"),
    ],
)
async def test_a_redirect_changes_what_it_states_and_keeps_the_rest(
    bench: Any, redirect: dict[str, Any], location: str
) -> None:
    found = await unmeshed(bench, "echo")
    filters = [{"type": "RequestRedirect", "requestRedirect": redirect | {"statusCode": 308}}]
    await apply(found, {"matches": [prefix("/old")], "filters": filters})
    port = found.outbound_port
    status, headers = await request(found, "/old/one?a=b", headers={"Host": f"echo.test:{port}"})
    assert (status, headers["Location"]) == (308, location.replace("PORT", str(port)))


@pytest.mark.parametrize(
    ("rewrite", "seen"),
    [
        ({"hostname": "other.test"}, ("other.test", "/old/one?a=b")),
        ({"path": replaced("ReplaceFullPath", "/new")}, ("echo.test", "/new?a=b")),
        ({"path": replaced("ReplacePrefixMatch", "/new/")}, ("echo.test", "/new/one?a=b")),
        ({"path": replaced("ReplacePrefixMatch", "")}, ("echo.test", "/one?a=b")),
        ({"hostname": "x.test", "path": replaced("ReplaceFullPath", "/new")}, ("x.test", "/new?a=b")),
    ],
)
async def test_a_rewrite_changes_what_the_backend_sees(
    bench: Any, rewrite: dict[str, Any], seen: tuple[str, str]
) -> None:
    found = await unmeshed(bench, "echo")
    filters = [{"type": "URLRewrite", "urlRewrite": rewrite}]
    rule = {"matches": [prefix("/old")], "filters": filters, "backendRefs": to("echo", found=found)}
    await apply(found, rule)
    assert (await request(found, "/old/one?a=b", headers={"Host": "echo.test"}))[0] == 200
    last = found.apps["echo"].seen[-1]
    assert (last["host"], last[":path"]) == seen


async def test_an_attempt_that_takes_too_long_answers_504_and_is_tried_again_if_the_rule_says_so(
    bench: Any,
) -> None:
    found = await unmeshed(bench, "echo")
    limits = {"timeouts": {"backendRequest": "100ms"}, "backendRefs": to("echo", found=found)}
    again = {"retry": {"attempts": 2, "codes": [504], "backoff": "10ms"}}
    await apply(
        found, {"matches": [prefix("/again")], **limits, **again}, {"matches": [prefix("/")], **limits}
    )
    app = found.apps["echo"]
    app.delay = 1
    assert ((await request(found))[0], len(app.seen)) == (504, 1)
    assert ((await request(found, "/again"))[0], len(app.seen)) == (504, 4)


@pytest.mark.parametrize(
    ("retry", "failing", "status", "requests"),
    [
        ({"attempts": 2, "codes": [503]}, 2, 200, 3),
        ({"attempts": 1, "codes": [503]}, 2, 503, 2),
        ({"attempts": 3, "codes": [500]}, 1, 503, 1),
        ({"codes": [503]}, 2, 503, 2),
    ],
    ids=["as often as needed", "no oftener than stated", "not for other codes", "once unless stated"],
)
async def test_answers_with_a_code_of_the_rule_are_tried_again(
    bench: Any, retry: dict[str, Any], failing: int, status: int, requests: int
) -> None:
    found = await unmeshed(bench, "echo")
    await apply(found, {"backendRefs": to("echo", found=found), "retry": {**retry, "backoff": "5ms"}})
    app = found.apps["echo"]
    app.first = [503] * failing
    assert ((await request(found))[0], len(app.seen)) == (status, requests)


async def test_attempts_are_apart_by_the_back_off_of_the_rule(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    again = {"attempts": 6, "codes": [503], "backoff": "200ms"}
    await apply(found, {"backendRefs": to("echo", found=found), "retry": again})
    found.apps["echo"].first = [503] * 6
    started = time.monotonic()
    assert (await request(found))[0] == 200
    # Six waits of 0 to 200 ms, then 0 to 400 ms: two seconds at most, and hardly ever as little as this.
    assert time.monotonic() - started > 0.1


async def test_the_request_timeout_bounds_all_attempts_together(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    limits = {"request": "250ms", "backendRequest": "100ms"}
    again = {"attempts": 20, "codes": [504], "backoff": "1ms"}
    await apply(found, {"backendRefs": to("echo", found=found), "timeouts": limits, "retry": again})
    found.apps["echo"].delay = 1
    assert (await request(found))[0] == 504
    assert 2 <= len(found.apps["echo"].seen) <= 4


async def annotated(bench: Any, **notes: str) -> Any:
    """Service `echo` with Linkerd's annotations and no route."""
    found = await unmeshed(bench, "echo")
    plain = service("echo", ECHO, found.outbound_port)
    found.world.put(plain, service("echo", ECHO, found.outbound_port, **notes))
    return found


async def test_a_service_says_by_annotation_which_answers_are_tried_again(bench: Any) -> None:
    found = await annotated(bench, **{"retry.linkerd.io/http": "5xx", "retry.linkerd.io/limit": "3"})
    found.apps["echo"].status = 503

    async def is_tried_again() -> bool:
        before = len(found.apps["echo"].seen)
        await request(found)
        return len(found.apps["echo"].seen) - before == 4

    await until(is_tried_again, timeout=5, what="one request is tried four times", every=0.02)


async def test_a_service_says_by_annotation_how_long_an_answer_may_take(bench: Any) -> None:
    found = await annotated(bench, **{"timeout.linkerd.io/request": "100ms"})
    found.apps["echo"].delay = 1

    async def is_504() -> bool:
        return bool((await request(found))[0] == 504)

    await until(is_504, timeout=5, what="504", every=0.02)


async def test_requests_are_mirrored_to_each_mirror_in_its_share(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "all", "none", "half")
    shares: dict[str, Any] = {
        "all": {},
        "none": {"percent": 0},
        "half": {"fraction": {"numerator": 1, "denominator": 2}},
    }
    mirrors = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": to(name, found=found)[0], **share}}
        for name, share in shares.items()
    ]
    await apply(found, {"backendRefs": to("echo", found=found), "filters": mirrors})
    for _ in range(100):
        assert await found.get(ECHO) == (200, "echo")

    async def have_arrived() -> bool:
        return len(found.apps["all"].seen) == 100

    await until(have_arrived, timeout=5, what="100 mirrored requests", every=0.02)
    assert len(found.apps["none"].seen) == 0
    assert 20 < len(found.apps["half"].seen) < 80


async def cors(bench: Any, **policy: Any) -> Any:
    found = await unmeshed(bench, "echo")
    filters = [{"type": "CORS", "cors": policy}]
    await apply(found, {"backendRefs": to("echo", found=found), "filters": filters})
    return found


@pytest.mark.parametrize("origin", ["https://a.test", "http://deep.below.test:8080"])
async def test_a_preflight_of_an_allowed_origin_is_answered_by_the_mesh(bench: Any, origin: str) -> None:
    found = await cors(
        bench,
        allowOrigins=["https://a.test", "http://*.below.test:8080"],
        allowMethods=["GET", "PUT"],
        allowHeaders=["X-One"],
        allowCredentials=True,
        maxAge=60,
    )
    asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    status, headers = await request(found, method="OPTIONS", headers=asked)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Methods"] == "GET, PUT"
    assert headers["Access-Control-Allow-Headers"] == "X-One"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Max-Age"] == "60"
    assert found.apps["echo"].seen == []


async def test_only_an_allowed_origin_may_read_an_answer(bench: Any) -> None:
    found = await cors(bench, allowOrigins=["https://a.test"], exposeHeaders=["X-App"])
    _, headers = await request(found, headers={"Origin": "https://a.test"})
    assert headers["Access-Control-Allow-Origin"] == "https://a.test"
    assert headers["Access-Control-Expose-Headers"] == "X-App"
    status, headers = await request(found, headers={"Origin": "https://evil.test"})
    assert status == 200
    assert "Access-Control-Allow-Origin" not in headers


async def two_endpoints(bench: Any, persistence: dict[str, Any]) -> Any:
    """Service `echo` with the apps `echo` and `two` as endpoints, and a rule with sessions."""
    found = await unmeshed(bench, "echo", "two")
    more = slices("echo", found.apps["two"].port, second="127.0.0.1")
    more["metadata"]["name"] = "echo-y"
    found.world.load([more])
    await apply(found, {"backendRefs": to("echo", found=found), "sessionPersistence": persistence})

    async def both_answer() -> bool:
        return {(await found.get(ECHO))[1] for _ in range(10)} == {"echo", "two"}

    await until(both_answer, timeout=5, what="both endpoints answer", every=0.02)
    return found


async def test_a_cookie_keeps_a_client_at_its_endpoint(bench: Any) -> None:
    permanent = {"cookieConfig": {"lifetimeType": "Permanent"}, "absoluteTimeout": "1h"}
    found = await two_endpoints(bench, {"sessionName": "sticky", "type": "Cookie", **permanent})
    _, headers = await request(found)
    cookie = headers["Set-Cookie"]
    assert cookie.startswith("sticky=")
    assert "Max-Age=3600" in cookie
    assert "Path=/" in cookie
    sent = {"Cookie": cookie.partition(";")[0]}
    assert {(await found.get(ECHO, headers=sent))[1] for _ in range(20)} == {headers["x-app"]}


async def test_a_header_keeps_a_client_at_its_endpoint(bench: Any) -> None:
    found = await two_endpoints(bench, {"sessionName": "x-sticky", "type": "Header"})
    _, headers = await request(found)
    sent = {"x-sticky": headers["x-sticky"]}
    assert {(await found.get(ECHO, headers=sent))[1] for _ in range(20)} == {headers["x-app"]}


@pytest.mark.parametrize("weights", [None, (0, 0)], ids=["no backends", "no weight"])
async def test_a_rule_without_a_backend_that_counts_answers_500(bench: Any, weights: Any) -> None:
    found = await unmeshed(bench, "echo", "two")
    backends = [to(n, found=found, weight=w)[0] for n, w in zip(("echo", "two"), weights or (), strict=False)]
    await apply(found, {"backendRefs": backends})
    assert (await request(found))[0] == 500


async def test_a_backend_of_weight_0_gets_nothing_even_if_it_does_not_exist(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "two")
    backends = to("echo", found=found) + to("two", "missing", found=found, weight=0)
    await apply(found, {"backendRefs": backends})
    assert Counter([await found.get(ECHO) for _ in range(30)]) == {(200, "echo"): 30}


async def test_a_filter_that_cannot_be_applied_is_not_skipped(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    backends = to("echo", found=found)
    filters = [{"type": "ExternalAuth", "externalAuth": {}}]
    path = {"type": "URLRewrite", "urlRewrite": {"path": replaced("ReplaceFullPath", "/x")}}
    await apply(
        found,
        {"matches": [prefix("/rule")], "backendRefs": backends, "filters": filters},
        {"matches": [prefix("/backend")], "backendRefs": [{**backends[0], "filters": [path]}]},
        {"matches": [prefix("/")], "backendRefs": backends},
    )
    assert [(await request(found, path))[0] for path in ("/rule", "/backend", "/")] == [500, 500, 200]


async def test_a_regular_expression_that_envoy_does_not_take_spoils_no_other_rule(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    regex = {"type": "RegularExpression"}
    wrong = {"path": {**regex, "value": "/(?=a)"}}
    long = {"path": {**regex, "value": "/[a-f]{300}/(one|two|three){20}.*"}}
    backends = to("echo", found=found)
    await apply(found, {"matches": [wrong, long], "backendRefs": backends})
    assert (await request(found, f"/{'abc' * 100}/{'two' * 20}"))[0] == 200
    assert (await request(found, "/a"))[0] == 404


async def test_rules_match_by_method_and_by_regular_expressions(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "two", "three", "four")
    regex = {"type": "RegularExpression"}
    matches = {
        "two": prefix("/", method="PUT"),
        "three": prefix("/", headers=[{**regex, "name": "X-Kind", "value": "a.+"}]),
        "four": prefix("/", queryParams=[{**regex, "name": "kind", "value": "b[0-9]"}]),
    }
    await apply(found, *({"matches": [m], "backendRefs": to(n, found=found)} for n, m in matches.items()))

    async def answered(*words: Any, **options: Any) -> str:
        return str((await request(found, *words, **options))[1].get("x-app"))

    assert await answered("/", "PUT") == "two"
    assert await answered("/", headers={"x-kind": "abc"}) == "three"
    assert await answered("/?kind=b7") == "four"
    assert (await request(found, "/?kind=b77", headers={"x-kind": "za"}))[0] == 404


async def test_between_equal_rules_the_older_route_wins_and_then_the_name(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "two")
    for when, name, backend in (("2021", "a", "two"), ("2020", "z", "echo"), ("2020", "zz", "two")):
        rule = {"backendRefs": to(backend, found=found)}
        await apply(found, rule, name=name, creationTimestamp=f"{when}-01-01T00:00:00Z")

    async def is_the_oldest() -> bool:
        return await found.get(ECHO) == (200, "echo")

    await until(is_the_oldest, timeout=5, what="the oldest route decides", every=0.02)


async def test_a_grpc_route_takes_the_port_from_http_routes_of_its_namespace(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "two")
    await apply(found, {"backendRefs": to("echo", found=found)})
    winner = route(("two", 1), port=found.outbound_port)
    winner["kind"] = "GRPCRoute"
    winner["spec"]["rules"][0]["matches"] = [{"method": {"service": "lab.Echo"}}]
    found.world.load([winner])

    async def decides() -> bool:
        return await found.get(ECHO, "/lab.Echo/Say") == (200, "two")

    await until(decides, timeout=5, what="the GRPCRoute decides", every=0.02)
    assert (await found.get(ECHO, "/"))[0] == 404


async def call(found: Any, method: str) -> grpc.StatusCode:
    """The status of a gRPC call of Service `echo`."""
    async with grpc.aio.insecure_channel(f"{ECHO}:{found.outbound_port}") as channel:
        try:
            await channel.unary_unary(method)(b"", timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("backends", [("missing",), ("missing", "lost"), ()])
async def test_grpc_clients_see_unavailable_without_a_backend_and_unimplemented_without_a_rule(
    bench: Any, backends: tuple[str, ...]
) -> None:
    found = await unmeshed(bench, "echo")
    winner = route(*((name, 1) for name in backends), port=found.outbound_port)
    winner["kind"] = "GRPCRoute"
    winner["spec"]["rules"][0]["matches"] = [{"method": {"service": "lab.Echo", "method": "Say"}}]
    found.world.load([winner])

    async def is_there() -> bool:
        return await call(found, "/lab.Echo/Other") == grpc.StatusCode.UNIMPLEMENTED

    await until(is_there, timeout=5, what="the route is in effect", every=0.02)
    assert await call(found, "/lab.Echo/Say") == grpc.StatusCode.UNAVAILABLE


async def test_half_of_the_grpc_calls_are_unavailable_when_half_of_the_weight_is_invalid(bench: Any) -> None:
    found = await unmeshed(bench, "echo")
    port = await server.listen_grpc(found.stack, 0, "")
    split = route(("missing", 1), ("echo", 1), port=found.outbound_port) | {"kind": "GRPCRoute"}
    found.world.put(slices("echo", 0), slices("echo", port, pod="127.0.0.1"))
    found.world.load([split])

    async def both() -> bool:
        codes = {await call(found, f"/{wire.SERVICE}/{wire.METHOD}") for _ in range(10)}
        return codes == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}

    await until(both, timeout=5, what="some calls succeed and some do not", every=0.02)


async def test_a_session_holds_across_backends_with_weights(bench: Any) -> None:
    found = await unmeshed(bench, "echo", "one", "two")
    session = {"sessionName": "x-sticky", "type": "Header"}
    await apply(found, {"backendRefs": to("one", "two", found=found), "sessionPersistence": session})
    _, headers = await request(found)
    sent = {"x-sticky": headers["x-sticky"]}
    assert {(await found.get(ECHO, headers=sent))[1] for _ in range(30)} == {headers["x-app"]}


async def test_a_wildcard_names_what_was_asked_for_where_credentials_are_allowed(bench: Any) -> None:
    found = await cors(
        bench, allowOrigins=["*"], allowMethods=["*"], allowHeaders=["*"], allowCredentials=True
    )
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-one, x-two"}
    _, headers = await request(found, method="OPTIONS", headers={"Origin": "https://a.test", **asked})
    assert headers["Access-Control-Allow-Origin"] == "https://a.test"
    assert headers["Access-Control-Allow-Methods"] == "PUT"
    assert headers["Access-Control-Allow-Headers"] == "x-one, x-two"


async def test_no_request_is_lost_while_the_weights_of_a_route_change(bench: Any) -> None:
    """Also when a backend comes and goes with its weight."""
    found = await unmeshed(bench, "echo", "two")
    await apply(found, {"backendRefs": to("echo", found=found)})
    statuses: Counter[int] = Counter()

    async def call() -> None:
        while True:
            statuses[(await found.get(ECHO))[0]] += 1

    callers = [asyncio.create_task(call()) for _ in range(4)]
    for share in (50, 0, 20, 50, 0) * 6:
        seen = statuses.total()
        weights = {"echo": share, "two": 100 - share}
        backends = [to(name, found=found, weight=weight)[0] for name, weight in weights.items()]
        await apply(found, {"backendRefs": backends})

        async def has_been_used(after: int = seen + 8) -> bool:
            return statuses.total() >= after

        await until(has_been_used, timeout=10, what="calls over the new route", every=0.005)
    for caller in callers:
        caller.cancel()
    assert set(statuses) == {200}
