"""Paths, queries, headers and bodies that no client would send: an answer that says so, and nothing worse."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import strategies as st

from .conftest import APPLY, JSON_PATCH, MERGE, STRATEGIC, Server, config_map
from .hostile import Budget, Hostile, budgets

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA = st.sampled_from(
    ["application/json", "application/yaml", "text/yaml", PROTOBUF, "application/cbor", "", "x", "a/b;=;"]
)


@pytest.fixture(scope="module")
def hostile(server: Server) -> Iterator[Hostile]:
    found = Hostile(server, server.tls())
    found.json("POST", MAPS, config_map("a", k="v"))
    yield found
    found.close()


BITS = st.sampled_from([
    b"{", b"}", b"[", b"]", b'"a"', b":", b",", b"1", b"-", b"NaN", b"Infinity", b"1e999", b"9" * 400,
    b"\x00", b"\xff", b'"\\ud800"', b"\xed\xa0\x80", b"&a", b"*a", b"!!binary",
    b"!!python/object:os.system", b"<<: ", b"\n", b"  ", b"- ", b"k: ", b"? ", b"---\n", b"k8s\x00",
    b"\n\x7f", b'{"metadata":{"name":"a"},"data":{',
])  # fmt: skip
BODIES = st.lists(BITS, max_size=12).map(b"".join) | st.binary(max_size=60)


@budgets(everyday=150, long=6000)
def test_no_body_makes_the_server_fail(hostile: Hostile, budget: Budget) -> None:
    def check(case: tuple[str, bytes, str]) -> None:
        way, body, media = case
        if way in ("POST", "PUT", "DELETE"):
            target = MAPS if way == "POST" else f"{MAPS}/a"
            hostile.judge(hostile.send(way, target, body, {"Content-Type": media}))
        else:
            hostile.judge(hostile.send("PATCH", f"{MAPS}/a", body, {"Content-Type": way}))

    ways = st.sampled_from(["POST", "PUT", "DELETE", JSON_PATCH, MERGE, STRATEGIC, APPLY])
    budget.explore(st.tuples(ways, BODIES, MEDIA), check)
    assert hostile.send("GET", "/readyz").code == 200


SEGMENTS = st.sampled_from([
    "api", "apis", "v1", "apps", "namespaces", "default", "pods", "configmaps", "a", "status", "scale",
    "log", "exec", "proxy", "token", "binding", "eviction", "finalize", "ephemeralcontainers", "openapi",
    "v3", "", "..", ".", "%2e%2e", "%2F", "%00", "%", "%zz", "%ff", "%ed%a0%80", "a" * 3000, "|", "~",
    ";x", "a:b", "deployments", "customresourcedefinitions", "apiextensions.k8s.io", "healthz", "v2", "@",
    "☃",
])  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


@budgets(everyday=200, long=10_000)
def test_no_path_makes_the_server_fail(hostile: Hostile, budget: Budget) -> None:
    def check(case: tuple[str, list[str]]) -> None:
        method, segments = case
        target = "/" + "/".join(quote(part, safe="%|~;:@.") for part in segments)
        if "watch" not in target:
            reply = hostile.send(method, target, b"{}" if method not in ("GET", "HEAD") else None)
            if method != "HEAD":
                hostile.judge(reply)

    budget.explore(st.tuples(METHODS, st.lists(SEGMENTS, max_size=9)), check)


NAMES = st.sampled_from([
    "limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch",
    "watch", "timeoutSeconds", "sendInitialEvents", "allowWatchBookmarks", "dryRun", "fieldManager",
    "pretty", "force", "fieldValidation", "gracePeriodSeconds", "propagationPolicy", "orphanDependents",
    "includeObject", "x", "",
])  # fmt: skip
VALUES = st.sampled_from([
    "", "0", "1", "-1", "true", "false", "abc", "9" * 30, "9" * 5000, "٣", "1.5", "NaN", "0x1", " 1",
    "\x00", "a=b", "a==b", "a!=b", "a in (b)", "a in (", "a in ()", "!a", "!", "=", "a=b,", ",", "((((",
    "a notin (b,)", "metadata.name=a", "spec.nodeName=", "metadata.name", "status.phase!=x", "☃=☃", "All",
    "None", "Exact", "NotOlderThan", "Strict", "Background", "e30=", "eyJydiI6MX0=", "bnVsbA==", "W10=",
    "%", "a" * 3000, "eyJydiI6LTEsImFmdGVyIjpbImEiLCJiIl19", "eyJydiI6MWU5OTksImFmdGVyIjpbMSwyXX0=",
    "Metadata", "Object",
])  # fmt: skip


@budgets(everyday=250, long=10_000)
def test_no_query_makes_the_server_fail(hostile: Hostile, budget: Budget) -> None:
    def check(case: tuple[str, str, list[tuple[str, str]]]) -> None:
        method, target, pairs = case
        # timeoutSeconds comes last: a watch that is in order must end
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs if name != "timeoutSeconds")
        body = json.dumps(config_map("a")).encode() if method in ("PUT", "PATCH", "POST") else None
        headers = {"Content-Type": MERGE} if method == "PATCH" else {}
        if "watch" in query:
            query += "&timeoutSeconds=1" if "watch=0" in query else "&resourceVersion=abc"
        hostile.judge(hostile.send(method, f"{target}?{query}", body, headers))

    calls = st.sampled_from([
        ("GET", MAPS), ("GET", f"{MAPS}/a"), ("GET", "/api/v1/pods"), ("PATCH", f"{MAPS}/a"),
        ("POST", MAPS), ("PUT", f"{MAPS}/a"), ("DELETE", f"{MAPS}/b"),
        ("DELETE", "/api/v1/namespaces/kube-public/secrets"),
    ])  # fmt: skip
    pairs = st.lists(st.tuples(NAMES, VALUES), max_size=4)
    budget.explore(st.tuples(calls, pairs).map(lambda case: (*case[0], case[1])), check)


@pytest.mark.parametrize("text", ["-1", "x", "9" * 5000, "\u0663", "1.5"])
def test_a_bad_time_limit_of_a_watch_is_a_bad_request(hostile: Hostile, text: str) -> None:
    reply = hostile.send("GET", f"{MAPS}?watch=1&timeoutSeconds={quote(text)}")
    assert hostile.judge(reply).code == 400


HEADERS = st.sampled_from([
    "Accept", "Accept-Encoding", "Authorization", "Content-Type", "User-Agent", "Host", "Expect",
    "Upgrade", "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-%zz",
    "Connection", "Range", "Transfer-Encoding", "Content-Encoding", "Sec-WebSocket-Key",
    "Sec-WebSocket-Version", "If-None-Match",
])  # fmt: skip
JUNK_VALUES = st.sampled_from([
    "", "x", "*/*", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=X", ";;;",
    "q=;q=x", "application/json;q=nan", "application/json;q=inf,application/yaml;q=-1", "Bearer",
    "Bearer x", "Basic YTpi", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer W10.W10.W10",
    "Bearer ÿ", "é\x80", "a" * 6000, "system:masters", "websocket", "SPDY/3.1", "100-continue", "gzip",
    "chunked", "identity, chunked", "13", "close",
])  # fmt: skip


@budgets(everyday=200, long=8000)
def test_no_header_makes_the_server_fail(hostile: Hostile, budget: Budget) -> None:
    def check(case: tuple[str, str, list[tuple[str, str]]]) -> None:
        method, target, pairs = case
        body = json.dumps({"data": {"k": "v"}}).encode() if method == "PATCH" else None
        head = f"{method} {target} HTTP/1.1\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in pairs)
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        answer = hostile.raw(f"{head}\r\n".encode("latin-1") + (body or b""))
        code = int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0
        assert code in (0, 100) or code < 500, (answer, hostile.last_trouble())

    calls = st.sampled_from([
        ("GET", MAPS), ("GET", "/apis"), ("GET", "/openapi/v2"), ("PATCH", f"{MAPS}/a"),
        ("GET", "/api/v1/namespaces/default/pods/x/exec?command=a"), ("GET", "/readyz"),
    ])  # fmt: skip
    pairs = st.lists(st.tuples(HEADERS, JUNK_VALUES), max_size=4)
    budget.explore(st.tuples(calls, pairs).map(lambda case: (*case[0], case[1])), check)
    assert hostile.send("GET", "/readyz").code == 200


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n" % (n, n, *[n - 1] * 9)
    for n in range(ord("b"), ord("k"))
)
MERGES = b"a: &a {x: 1}\n" + b"".join(
    b"%c: &%c {<<: [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]}\n" % (n, n, *[n - 1] * 9)
    for n in range(ord("b"), ord("k"))
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        MERGES,
        b"&a [*a]",
        b"&a {k: *a}",
        b"[" * 200_000,
        b"{a: " * 200_000,
        b"- " * 100_000,
        b"? " * 100_000,
    ],
    ids=[
        "nine to the tenth",
        "merge keys",
        "a list in itself",
        "a map in itself",
        "brackets",
        "braces",
        "dashes",
        "question marks",
    ],
)
def test_a_yaml_bomb_is_a_bad_request_and_costs_nothing(hostile: Hostile, body: bytes) -> None:
    before = hostile.resident()
    for method, target, media in (
        ("POST", MAPS, "application/yaml"),
        ("PATCH", f"{MAPS}/a?fieldManager=m", APPLY),
    ):
        reply = hostile.send(method, target, body, {"Content-Type": media})
        assert hostile.judge(reply).code == 400
    assert hostile.resident() < before + 30, "megabytes"


def test_odd_names_of_roles_survive_a_restart(hostile: Hostile) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    replies = [
        hostile.judge(hostile.json("POST", path, {"metadata": {"name": name}}))
        for name in ("a|b", "a|b|c", "a\0b", "a\nb", "\u2603", "\ud800")
    ]
    made = [reply.json["metadata"]["name"] for reply in replies if reply.code == 201]
    hostile.close()
    hostile.server.end()
    hostile.server.start()
    found = [hostile.send("GET", f"{path}/{quote(name, safe='')}").json["metadata"]["name"] for name in made]
    assert found == made
    assert "a|b" in made


@pytest.mark.parametrize(("text", "code"), [
    ('{"data": {"k": NaN}}', 400), ('{"data": {"k": 1e999}}', 400), ('{"x": -Infinity}', 400),
    ('{"metadata": {"annotations": {"a": "\\ud800"}}}', 200), ('{"data": {"\\udfff": "x"}}', 422),
    ('{"data": ' + "[" * 101 + "]" * 101 + "}", 400), ('{"data": {"a": "1", "a": "2"}}', 200),
])  # fmt: skip
def test_what_is_stored_can_be_read_by_every_json_parser(hostile: Hostile, text: str, code: int) -> None:
    reply = hostile.send("PATCH", f"{MAPS}/a", text.encode(), {"Content-Type": MERGE})
    assert hostile.judge(reply).code == code
    hostile.send("GET", MAPS).body.decode("utf-8", "strict")


def test_a_header_of_ours_never_carries_what_a_client_wrote_as_it_is(hostile: Hostile) -> None:
    body = {"metadata": {"name": "warned"}, **{f"x\r\nSet-Cookie: {n}{'y' * 500}": 1 for n in range(50)}}
    reply = hostile.json("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert hostile.judge(reply).code == 201
    assert "Set-Cookie" not in reply.headers
    assert sum(len(value) for name, value in reply.headers.items() if name == "Warning") < 6000
