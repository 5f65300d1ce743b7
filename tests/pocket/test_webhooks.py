"""Admission webhooks, called over TLS on a real server of the test's own."""

import asyncio
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
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.transports.add(request.transport)
        review = json.loads(await request.read())
        self.seen.append(review["request"])
        await self.gate.wait()
        response = {"uid": review["request"]["uid"], **self.answer(review["request"])}
        return web.json_response({**review, "response": response})


@pytest.fixture
async def hook(server: Server) -> AsyncIterator[Hook]:
    found = Hook()
    found.gate.set()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server.pki.folder / "apiserver.crt", server.pki.folder / "apiserver.key")
    runner = web.ServerRunner(web.Server(found.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    found.gate.set()
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
    assert (reply.code, reply.body["message"]) == (400, expected)


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


async def test_two_webhooks_warn_once_each_even_when_the_request_fails(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.answer = lambda request: {"allowed": False, "warnings": ['say "no"', 'say "no"']}
    await register(http, server, space, hook, "validating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert (reply.code, reply.headers["Warning"]) == (400, '299 - "say \\"no\\""')


async def test_a_refusal_keeps_the_webhooks_code_and_reason(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    status = {"code": 403, "reason": "Forbidden", "message": "no"}
    hook.answer = lambda request: {"allowed": False, "status": status}
    await register(http, server, space, hook, "mutating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert (reply.code, reply.body["reason"]) == (403, "Forbidden")


async def test_a_delete_shows_the_object_as_the_old_one(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["DELETE"]}
    await register(http, server, space, hook, "validating", rules=[rule])
    await http.post(f"{space}/configmaps", config_map("a", k="1"))
    await http.delete(f"{space}/configmaps/a")
    (seen,) = hook.seen
    assert (seen["object"], seen["oldObject"]["data"], seen["options"]["kind"]) == (
        None, {"k": "1"}, "DeleteOptions",
    )  # fmt: skip


async def test_a_webhook_without_side_effects_is_told_of_a_dry_run(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    await register(http, server, space, hook, "validating", sideEffects="NoneOnDryRun")
    reply = await http.post(f"{space}/configmaps?dryRun=All", config_map("a"))
    assert (reply.code, [request["dryRun"] for request in hook.seen]) == (201, [True])


async def test_a_webhook_is_asked_again_when_a_later_one_changed_the_object(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        data = request["object"].get("data") or {}
        return patch({"op": "add", "path": "/data", "value": {**data, f"k{len(data)}": "v"}})

    hook.answer = answer
    path = await register(http, server, space, hook, "mutating", reinvocationPolicy="IfNeeded")
    config = (await http.get(path)).body
    first, second = config["webhooks"][0], {**config["webhooks"][0], "name": "late.lab.test"}
    second["reinvocationPolicy"] = "Never"
    await http.put(path, {**config, "webhooks": [first, second]})
    await http.post(f"{space}/configmaps", config_map("a"))
    assert (await http.get(f"{space}/configmaps/a")).body["data"] == {"k0": "v", "k1": "v", "k2": "v"}


BAD_ANSWERS = {
    "validating webhook may not return response.patch": {"allowed": True, "patch": "W10="},
    'expected response.uid="': {"uid": "other", "allowed": True},
}


@pytest.mark.parametrize("text", BAD_ANSWERS)
async def test_an_answer_that_is_none_fails_the_request_with_what_is_wrong(
    http: Http, server: Server, space: str, hook: Hook, text: str
) -> None:
    hook.answer = lambda request: BAD_ANSWERS[text]
    await register(http, server, space, hook, "validating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    prefix = 'failed calling webhook "hook.lab.test": received invalid webhook response: '
    assert (reply.code, prefix + text in reply.body["message"]) == (500, True)


async def test_a_patch_without_its_type_is_no_answer(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.answer = lambda request: {"allowed": True, "patch": "W10="}
    await register(http, server, space, hook, "mutating")
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert "webhook returned response.patch but not response.patchType" in reply.body["message"]


async def test_a_late_answer_is_told_with_the_address(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    hook.gate.clear()
    await register(http, server, space, hook, "validating", timeoutSeconds=1)
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    where = f"https://127.0.0.1:{hook.port}/admit?timeout=1s"
    text = f'failed to call webhook: Post "{where}": context deadline exceeded'
    assert (reply.code, text in reply.body["message"]) == (500, True)


async def test_a_service_that_is_not_there_is_told_by_its_name(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    service = {"name": "ghost", "namespace": space.rpartition("/")[2], "path": "/admit"}
    await register(http, server, space, hook, "validating", clientConfig={"service": service})
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    expected = f"https://ghost.{service['namespace']}.svc:443/admit?timeout=2s"
    assert (expected in reply.body["message"], 'service "ghost"' in reply.body["message"]) == (True, True)


@pytest.mark.parametrize(("policy", "seen"), [("Equivalent", ["v1"]), ("Exact", [])])
async def test_a_rule_for_another_version_matches_unless_the_policy_is_exact(
    http: Http, server: Server, space: str, hook: Hook, policy: str, seen: list[str]
) -> None:
    rule = {
        "apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["CREATE"],
        "resources": ["horizontalpodautoscalers"],
    }  # fmt: skip
    await register(http, server, space, hook, "validating", rules=[rule], matchPolicy=policy)
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    base = space.replace("/api/v1", "/apis/autoscaling/v2")
    await http.post(f"{base}/horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": spec})
    assert [request["kind"]["version"] for request in hook.seen] == seen
    assert [request["requestKind"]["version"] for request in hook.seen] == ["v2" for _ in seen]
    assert all("targetCPUUtilizationPercentage" in request["object"]["spec"] for request in hook.seen)


async def test_a_namespaces_own_labels_select_its_webhooks(
    http: Http, server: Server, space: str, hook: Hook
) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["namespaces"], "operations": ["CREATE"]}
    selector = {"matchLabels": {"guarded": space.rpartition("/")[2]}}
    await register(http, server, space, hook, "validating", rules=[rule], namespaceSelector=selector)
    name = f"{space.rpartition('/')[2][:50]}-new"
    labels = {"guarded": space.rpartition("/")[2]}
    await http.post("/api/v1/namespaces?dryRun=All", {"metadata": {"name": name, "labels": labels}})
    await http.post("/api/v1/namespaces?dryRun=All", {"metadata": {"name": name}})
    assert len(hook.seen) == 1


REFUSED = [
    ("sideEffects", "Some", 'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", '
     '"NoneOnDryRun"'),
    ("timeoutSeconds", 31, "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between "
     "1 and 30 seconds"),
    ("admissionReviewVersions", [], "webhooks[0].admissionReviewVersions: Required value: must specify one "
     "of v1, v1beta1"),
    ("clientConfig", {"url": "http://x"}, "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is "
     "the only allowed URL scheme; desired format: https://host[/path]"),
    ("clientConfig", {}, "webhooks[0].clientConfig: Required value: exactly one of url or service is "
     "required"),
    ("matchConditions", [{"name": "x", "expression": "object."}],
     'webhooks[0].matchConditions[0].expression: Invalid value: "object.": compilation failed: '),
    ("matchConditions", [{"name": "x", "expression": "1"}], "compilation failed: must evaluate to bool"),
    ("matchConditions", [{"expression": "true"}], "webhooks[0].matchConditions[0].name: Required value"),
    ("failurePolicy", "Maybe", 'webhooks[0].failurePolicy: Unsupported value: "Maybe"'),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "text"), REFUSED)
async def test_a_webhook_that_could_not_work_is_refused(
    http: Http, field: str, value: Any, text: str
) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    one = {
        "name": "hook.lab.test", "clientConfig": {"url": "https://127.0.0.1/"}, "rules": [rule],
        "sideEffects": "None", "admissionReviewVersions": ["v1"], field: value,
    }  # fmt: skip
    path = f"{HOOKS}/validatingwebhookconfigurations"
    reply = await http.post(path, {"metadata": {"name": "refused"}, "webhooks": [one]})
    assert (reply.code, text in reply.body["message"]) == (422, True), reply.body["message"]


CONDITIONS = [
    (["request.operation == 'CREATE'", "object.data.k == 'v'"], "Fail", 201, 1),
    (["!(request.userInfo.username.startsWith('kubernetes-'))"], "Fail", 201, 0),
    (["oldObject == null", "has(object.metadata.labels)"], "Fail", 201, 0),
    (["object.nosuch == 1"], "Fail", 403, 0),
    (["object.nosuch == 1"], "Ignore", 201, 0),
    (["object.nosuch == 1", "false"], "Fail", 201, 0),
]


@pytest.mark.parametrize(("expressions", "policy", "code", "calls"), CONDITIONS)
async def test_match_conditions_decide_whether_a_webhook_is_asked(
    http: Http,
    server: Server,
    space: str,
    hook: Hook,
    expressions: list[str],
    policy: str,
    code: int,
    calls: int,
) -> None:
    conditions = [{"name": f"c{i}", "expression": text} for i, text in enumerate(expressions)]
    await register(http, server, space, hook, "validating", matchConditions=conditions, failurePolicy=policy)
    reply = await http.post(f"{space}/configmaps", config_map("a", k="v"))
    assert (reply.code, len(hook.seen)) == (code, calls), reply.body
