"""Broken input: a Status with the right code, never a 500, never a dead server."""

import asyncio

import pytest

from .conftest import JSON_PATCH, STRATEGIC, Http, Server, config_map, deployment, pod, settle

BAD_BODIES = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "a list": (b"[]", 400),
    "NaN": (b'{"metadata": {"name": "a"}, "data": {"k": NaN}}', 400),
    "deep nesting": (b"[" * 100_000, 400),
    "wrong kind": (b'{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}', 400),
    "wrong version": (b'{"kind": "ConfigMap", "apiVersion": "v2"}', 400),
    "metadata as text": (b'{"metadata": "x"}', 400),
    "labels as list": (b'{"metadata": {"name": "a", "labels": []}}', 400),
    "label of a number": (b'{"metadata": {"name": "a", "labels": {"x": 1}}}', 400),
    "bad label value": (b'{"metadata": {"name": "a", "labels": {"x": "-"}}}', 422),
    "no name": (b'{"metadata": {}}', 422),
    "bad name": (b'{"metadata": {"name": "A_b"}}', 422),
    "name with a bar": (b'{"metadata": {"name": "a|b"}}', 422),
    "a revision": (b'{"metadata": {"name": "a", "resourceVersion": "5"}}', 400),
    "name as number": (b'{"metadata": {"name": 5}}', 400),
    "managedFields as text": (b'{"metadata": {"name": "a", "managedFields": "x"}}', 400),
    "binary": (bytes(range(256)), 400),
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_broken_body_is_a_client_error(http: Http, space: str, case: str) -> None:
    body, code = BAD_BODIES[case]
    reply = await http.post(f"{space}/configmaps", body)
    assert (reply.code, reply.body["kind"]) == (code, "Status")


BAD_PODS = [
    {"spec": "x"},
    {"spec": {"containers": "x"}},
    {"spec": {"containers": ["x"]}},
    {"spec": {"containers": [{"name": "a", "image": "b", "ports": "x"}]}},
    {"spec": {"containers": [{"name": "a", "image": "b", "env": [1]}]}},
    {"spec": {"containers": [{"name": "a", "image": "b", "resources": []}]}},
    {"spec": {"volumes": [[]], "containers": [{"name": "a", "image": "b"}]}},
    {"spec": {"tolerations": 5, "containers": [{"name": "a", "image": "b"}]}},
    {"spec": {"containers": [{"name": "a", "image": "b", "livenessProbe": "x"}]}},
    {"spec": {"containers": []}},
    {},
]


@pytest.mark.parametrize("body", BAD_PODS, ids=str)
async def test_a_malformed_pod_is_a_client_error(http: Http, space: str, body: dict[str, object]) -> None:
    reply = await http.post(f"{space}/pods?fieldValidation=Strict", {"metadata": {"name": "p"}, **body})
    assert reply.code in (400, 422), reply.body


BAD_QUERIES = [
    "limit=x",
    "continue=x",
    "labelSelector=a%3D%3D%3Db",
    "labelSelector=a+in+x",
    "fieldSelector=x",
    "resourceVersion=x",
    "watch=1&timeoutSeconds=x",
    "watch=1&resourceVersion=-1",
]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_a_broken_query_is_a_bad_request(http: Http, space: str, query: str) -> None:
    assert (await http.get(f"{space}/configmaps?{query}")).code == 400


async def test_a_cbor_body_is_an_unsupported_media_type(http: Http, space: str) -> None:
    headers = {"Content-Type": "application/cbor"}
    reply = await http.post(f"{space}/configmaps", b"\xd9\xd9\xf7\xa0", headers=headers)
    assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize("body", [b"k8s\x00", b"k8s\x00\x12\x7f", b"\x00\xff"])
async def test_a_broken_protobuf_body_is_a_bad_request(http: Http, space: str, body: bytes) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    assert (await http.post(f"{space}/configmaps", body, headers=headers)).code == 400


async def test_a_protobuf_only_reader_is_told_what_there_is(http: Http, space: str) -> None:
    headers = {"Accept": "application/vnd.kubernetes.protobuf"}
    assert (await http.get(f"{space}/configmaps", headers=headers)).code == 406


async def test_a_huge_body_is_refused_before_it_is_sent(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.tls())
    head = "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(5):
        status = await reader.readline()
    writer.transport.abort()
    await settle()
    assert status.split()[1] == b"413"


BAD_PATCHES = [
    {},
    ["x"],
    [{"op": "fly"}],
    [{"op": "add"}],
    [{"op": "remove", "path": "/nope"}],
    [{"op": "replace", "path": "", "value": 5}],
    7,
]


@pytest.mark.parametrize("patch", BAD_PATCHES, ids=str)
async def test_a_bad_json_patch_is_a_client_error(http: Http, space: str, patch: object) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    assert (await http.patch(f"{space}/configmaps/a", patch, JSON_PATCH)).code in (400, 422)


@pytest.mark.parametrize("containers", [["x"], [{"image": "x"}], [{"name": "a", "$patch": "fly"}]], ids=str)
async def test_a_bad_strategic_patch_is_a_client_error(http: Http, space: str, containers: object) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    assert (await http.patch(f"{base}/d", patch, STRATEGIC)).code in (400, 422)


@pytest.mark.parametrize(("method", "path", "code"), [
    ("GET", "/api/v1/nosuch", 404), ("GET", "/nosuch", 404), ("GET", "/apis/nosuch/v1", 404),
    ("POST", "/api/v1/configmaps", 400), ("DELETE", "/api/v1/namespaces", 405),
    ("GET", "/api/v1/namespaces/default/pods/x/nosuch", 404), ("PUT", "/api/v1/namespaces/default/pods", 405),
])  # fmt: skip
async def test_paths_and_methods_that_mean_nothing(http: Http, method: str, path: str, code: int) -> None:
    assert (await http(method, path)).code == code


async def test_ephemeral_containers_are_refused_clearly(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    reply = await http.patch(f"{space}/pods/p/ephemeralcontainers", {})
    assert "ephemeral containers are not supported" in reply.body["message"]
