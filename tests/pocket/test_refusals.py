"""What is not served is refused in words that say so, also as kubectl shows them."""

import pytest

from .conftest import Http, Server, config_map, deployment, pod


async def test_kubectl_debug_says_that_nothing_is_added_to_a_pod(
    http: Http, server: Server, space: str
) -> None:
    await http.post(f"{space}/pods", pod("p"))
    said = server.kubectl("debug", "p", "--image=x", "-n", space.rpartition("/")[2], code=1)
    assert "(NotImplemented): ephemeral containers are not supported" in said


async def test_kubectl_top_says_that_there_are_no_metrics(server: Server) -> None:
    for what in ("pods", "nodes"):
        assert server.kubectl("top", what, code=1).strip() == "error: Metrics API not available"


async def test_resizing_a_pod_says_to_replace_it(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    reply = await http.patch(f"{space}/pods/p/resize", {"spec": {}})
    assert (reply.code, "replace the pod" in reply.body["message"]) == (501, True)


async def test_a_drain_evicts_and_tells_of_the_budget_it_passed_over(
    http: Http, server: Server, space: str
) -> None:
    ns = space.rpartition("/")[2]
    await http.post("/api/v1/nodes", {"metadata": {"name": ns}})
    # A pod that has ended leaves at once: no node is here to end it.
    await http.post(f"{space}/pods", pod("p", nodeName=ns))
    await http.patch(f"{space}/pods/p/status", {"status": {"phase": "Failed"}})
    budget = {
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}},
    }
    await http.post(space.replace("/api/v1", "/apis/policy/v1") + "/poddisruptionbudgets", budget)
    said = server.kubectl_err("drain", ns, "--force", "--timeout=10s")
    assert "PodDisruptionBudget b is stored, not acted on: it did not guard this pod" in said


REQUESTS = [
    ("GET", "/apis/metrics.k8s.io/v1beta1/pods", 404, "NotFound"),
    ("GET", "/api/v1/nosuchkind", 404, "NotFound"),
    ("GET", "{space}/configmaps/a/nosuch", 404, "NotFound"),
    ("GET", "{space}/configmaps/a/status", 404, "NotFound"),
    ("POST", "{space}/configmaps/a", 405, "MethodNotAllowed"),
    ("PUT", "{space}/configmaps", 405, "MethodNotAllowed"),
    ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
    ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405, "MethodNotAllowed"),
    ("DELETE", "{space}/pods/a/eviction", 405, "MethodNotAllowed"),
]


@pytest.mark.parametrize(("method", "path", "code", "reason"), REQUESTS)
async def test_what_is_not_there_or_not_allowed_is_a_status(
    http: Http, space: str, method: str, path: str, code: int, reason: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    body = config_map("a") if method in ("POST", "PUT") else None
    reply = await http(method, path.format(space=space), body)
    assert (reply.code, reply.body["kind"], reply.body["reason"]) == (code, "Status", reason)


async def test_an_unknown_media_type_is_told_which_are_known(http: Http, space: str) -> None:
    asked = await http.get(f"{space}/configmaps", headers={"Accept": "text/html"})
    sent = await http.post(f"{space}/configmaps", b"x", headers={"Content-Type": "text/html"})
    assert (asked.code, asked.body["reason"]) == (406, "NotAcceptable")
    assert (sent.code, sent.body["reason"]) == (415, "UnsupportedMediaType")
    assert asked.body["message"].startswith("only the following media types are accepted: application/json")
    assert "accepted media types include: application/json" in sent.body["message"]


async def test_a_negative_scale_is_invalid_as_upstream_says(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    reply = await http.patch(f"{base}/d/scale", {"spec": {"replicas": -1}})
    text = "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    expected = f'Scale.autoscaling "d" is invalid: {text}'
    assert (reply.code, reply.body["message"]) == (422, expected)
