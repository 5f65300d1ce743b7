"""Questions to the server that leave nothing behind: access, rules and tokens."""

from typing import Any

import pytest

from .conftest import Http, Server

ACCESS, AUTHENTICATION = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
EITHER = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
PODS = {"verb": "get", "resource": "pods", "namespace": "default"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("selfsubjectaccessreviews", {}, f"spec.resourceAttributes: Invalid value: null: {EITHER}"),
    ("subjectaccessreviews", {"resourceAttributes": PODS},
     'spec.user: Invalid value: "": at least one of user or group must be specified'),
    ("selfsubjectaccessreviews", {"resourceAttributes": PODS, "nonResourceAttributes": {"path": "/"}},
     "cannot be specified in combination with resourceAttributes"),
]  # fmt: skip


@pytest.mark.parametrize(("plural", "spec", "text"), WRONG)
async def test_a_question_without_sense_is_invalid(
    http: Http, plural: str, spec: dict[str, Any], text: str
) -> None:
    reply = await http.post(f"{ACCESS}/{plural}", {"spec": spec})
    assert (reply.code, text in reply.body["message"]) == (422, True), reply.body["message"]


async def test_a_local_review_is_about_its_own_namespace(http: Http, space: str) -> None:
    path = f"{ACCESS}/namespaces/{space.rpartition('/')[2]}/localsubjectaccessreviews"
    reply = await http.post(path, {"spec": {"user": "jane", "resourceAttributes": PODS}})
    text = 'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace'
    assert (reply.code, text in reply.body["message"]) == (422, True)


async def test_paths_are_asked_about_like_resources(http: Http) -> None:
    spec = {"user": "jane", "groups": ["system:authenticated"]}
    answers = []
    for path in ("/version", "/metrics"):
        body = {"spec": {**spec, "nonResourceAttributes": {"verb": "get", "path": path}}}
        answers.append((await http.post(f"{ACCESS}/subjectaccessreviews", body)).body["status"])
    assert answers == [{"allowed": True}, {"allowed": False}]


async def test_ones_own_rules_need_a_namespace(http: Http) -> None:
    reply = await http.post(f"{ACCESS}/selfsubjectrulesreviews", {"spec": {}})
    assert (reply.code, reply.body["message"]) == (400, "no namespace on request")


async def test_a_token_review_needs_a_token(http: Http) -> None:
    reply = await http.post(f"{AUTHENTICATION}/tokenreviews", {"spec": {}})
    assert (reply.code, reply.body["message"]) == (400, "token is required for TokenReview in authentication")


def test_kubectl_lists_what_one_may_do(server: Server) -> None:
    lines = server.kubectl("auth", "can-i", "--list", "--as=jane").splitlines()
    assert any(line.startswith("selfsubjectaccessreviews.authorization.k8s.io") for line in lines)
    assert not any(line.startswith("*.*") for line in lines)


def test_kubectl_answers_no_in_one_word(server: Server) -> None:
    assert server.kubectl("auth", "can-i", "get", "pods", "--as=jane", code=1).split() == ["no"]


def test_kubectl_impersonates_with_uid_and_groups(server: Server) -> None:
    words = (
        "auth",
        "whoami",
        "--as=jane",
        "--as-group=crew",
        "--as-uid=7",
        "-o",
        "jsonpath={.status.userInfo}",
    )
    said = server.kubectl(*words)
    assert said == '{"groups":["crew","system:authenticated"],"uid":"7","username":"jane"}'


async def test_a_token_request_has_a_shortest_life(http: Http, space: str) -> None:
    await http.post(f"{space}/serviceaccounts", {"metadata": {"name": "default"}})
    path = f"{space}/serviceaccounts/default/token"
    reply = await http.post(path, {"spec": {"expirationSeconds": 60}})
    text = "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"
    assert (reply.code, text in reply.body["message"]) == (422, True)
