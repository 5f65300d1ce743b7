"""Admission webhooks, called over TLS on a real server of the test's own."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from .conftest import Http, Server, config_map, settle

HOOKS = "/apis/admissionregistration.k8s.io/v1"


@dataclass
class Hook:
    """A webhook server; `answer` makes the response part of a review."""

    port: int = 0
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: {"allowed": True}
    seen: list[dict[str, Any]] = field(default_factory=list)
    transports: set[Any] = field(default_factory=set)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.transports.add(request.transport)
        review = json.loads(await request.read())
        self.seen.append(review["request"])
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        return web.json_response({**review, "response": response})


@pytest.fixture
async def hook(server: Server) -> AsyncIterator[Hook]:
    found = Hook()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server.pki.folder / "apiserver.crt", server.pki.folder / "apiserver.key")
    runner = web.ServerRunner(web.Server(found.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    for transport in found.transports:
        transport.abort()  # the API server keeps its connections open
    await settle()
    await runner.cleanup()


async def register(http: Http, server: Server, space: str, hook: Hook, kind: str, **more: Any) -> str:
    name = space.rpartition("/")[2]
    ca = base64.b64encode((server.pki.folder / "ca.crt").read_bytes()).decode()
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE"],
    }
    one = {
        "name": "hook.lab.test",
        "clientConfig": {"url": f"https://127.0.0.1:{hook.port}/admit", "caBundle": ca},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 2,
        **more,
    }
    path = f"{HOOKS}/{kind}webhookconfigurations"
    reply = await http.post(path, {"metadata": {"name": name}, "webhooks": [one]})
    assert reply.code == 201, reply.body
    return f"{path}/{name}"


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    text = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": text}


async def test_a_mutating_webhook_changes_what_is_stored(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.answer = lambda request: patch({"op": "add", "path": "/data", "value": {"from": "hook"}})
    await register(http, server, space, hook, "mutating")
    await http.post(f"{space}/configmaps", config_map("a"))
    assert (await http.get(f"{space}/configmaps/a")).body["data"] == {"from": "hook"}


async def test_a_validating_webhook_refuses_with_its_own_words(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.answer = lambda request: {"allowed": False, "status": {"message": "not today"}}
    await register(http, server, space, hook, "validating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    expected = 'admission webhook "hook.lab.test" denied the request: not today'
    assert (reply.code, reply.body["message"]) == (403, expected)


async def test_an_update_shows_the_old_object(http: Http, server: Server, space: str, hook: Hook) -> None:
    await register(http, server, space, hook, "validating")
    await http.post(f"{space}/configmaps", config_map("a", k="1"))
    await http.patch(f"{space}/configmaps/a", {"data": {"k": "2"}})
    last = hook.seen[-1]
    assert (last["operation"], last["oldObject"]["data"], last["object"]["data"]) == (
        "UPDATE", {"k": "1"}, {"k": "2"},
    )  # fmt: skip


async def test_other_namespaces_are_not_asked(http: Http, server: Server, space: str, hook: Hook) -> None:
    await register(http, server, space, hook, "validating")
    await http.post("/api/v1/namespaces/kube-public/configmaps", config_map("elsewhere"))
    assert hook.seen == []


async def test_an_object_selector_narrows_further(http: Http, server: Server, space: str, hook: Hook) -> None:
    selector = {"matchLabels": {"watched": "yes"}}
    await register(http, server, space, hook, "validating", objectSelector=selector)
    await http.post(f"{space}/configmaps", config_map("a"))
    assert hook.seen == []


async def test_a_dead_webhook_fails_or_is_ignored_by_its_policy(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    live, hook.port = hook.port, 1
    path = await register(http, server, space, hook, "validating")
    closed = await http.post(f"{space}/configmaps", config_map("a"))
    await http.patch(path, [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}],
                     "application/json-patch+json")  # fmt: skip
    opened = await http.post(f"{space}/configmaps", config_map("a"))
    hook.port = live
    assert (closed.code, opened.code) == (500, 201)
    assert 'failed calling webhook "hook.lab.test"' in closed.body["message"]


async def test_warnings_of_a_webhook_reach_the_client(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.answer = lambda request: {"allowed": True, "warnings": ["mind the gap"]}
    await register(http, server, space, hook, "validating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert reply.headers["Warning"] == '299 - "mind the gap"'
