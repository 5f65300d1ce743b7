"""What an update may leave out, create or pretend: revisions, uids, kinds that a PUT creates."""

import pytest

from .conftest import Http, config_map
from .stored_manifests import manifests

MUST = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
STORED = manifests()


async def test_most_kinds_take_an_update_without_a_revision(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a", k="1"))
    reply = await http.put(f"{space}/configmaps/a", config_map("a", k="2"))
    assert (reply.code, reply.body["data"]) == (200, {"k": "2"})


@pytest.mark.parametrize(
    ("group", "plural", "body"),
    [
        ("coordination.k8s.io", "leases", {"metadata": {"name": "a"}, "spec": {}}),
        ("policy", "poddisruptionbudgets", STORED["policy/v1/PodDisruptionBudget"]),
    ],
)
async def test_some_kinds_demand_the_revision_an_update_was_made_from(
    http: Http, space: str, group: str, plural: str, body: dict[str, object]
) -> None:
    base = f"{space.replace('/api/v1', f'/apis/{group}/v1')}/{plural}"
    await http.post(base, body)
    reply = await http.put(f"{base}/a", body)
    expected = f'{plural}.{group} "a" is invalid: {MUST}'
    assert (reply.code, reply.body["message"]) == (422, expected)


async def test_an_old_revision_conflicts_in_upstreams_words(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a", k="1"))).body
    await http.patch(f"{space}/configmaps/a", {"data": {"k": "2"}})
    reply = await http.put(f"{space}/configmaps/a", old)
    expected = (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your '
        "changes to the latest version and try again"
    )
    assert (reply.code, reply.body["message"]) == (409, expected)
    assert reply.body["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_patch_that_names_an_old_revision_conflicts(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a", k="1"))).body["metadata"]
    await http.patch(f"{space}/configmaps/a", {"data": {"k": "2"}})
    body = {"metadata": {"resourceVersion": old["resourceVersion"]}, "data": {"k": "3"}}
    reply = await http.patch(f"{space}/configmaps/a", body)
    assert (reply.code, reply.body["reason"]) == (409, "Conflict")


async def test_an_update_of_another_uid_conflicts(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a"))).body
    reply = await http.put(f"{space}/configmaps/a", {**old, "metadata": {**old["metadata"], "uid": "x"}})
    text = f"Precondition failed: UID in precondition: x, UID in object meta: {old['metadata']['uid']}"
    assert (reply.code, text in reply.body["message"]) == (409, True)


CREATED_BY_PUT = [
    ("/apis/coordination.k8s.io/v1", "leases"),
    ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    ("/api/v1", "endpoints"),
    ("/api/v1", "limitranges"),
]


@pytest.mark.parametrize(("root", "plural"), CREATED_BY_PUT)
async def test_a_put_creates_the_kinds_that_upstream_lets_it_create(
    http: Http, space: str, root: str, plural: str
) -> None:
    body = {"metadata": {"name": "a"}}
    reply = await http.put(f"{space.replace('/api/v1', root)}/{plural}/a", body)
    assert reply.code == 201


@pytest.mark.parametrize("plural", ["configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims"])
async def test_a_put_creates_nothing_else(http: Http, space: str, plural: str) -> None:
    reply = await http.put(f"{space}/{plural}/a", {"metadata": {"name": "a"}})
    assert (reply.code, reply.body["message"]) == (404, f'{plural} "a" not found')


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (config_map("b"), "the name of the object (b) does not match the name on the URL (a)"),
        ({"kind": "Secret", "metadata": {"name": "a"}}, "does not match the expected kind (ConfigMap)"),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, "does not match the expected API version (v1)"),
        ({"metadata": {"name": "a", "namespace": "other"}},
         "the namespace of the provided object does not match the namespace sent on the request"),
    ],
)  # fmt: skip
async def test_a_body_for_something_else_is_a_bad_request(
    http: Http, space: str, body: dict[str, object], text: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    reply = await http.put(f"{space}/configmaps/a", body)
    assert (reply.code, text in reply.body["message"]) == (400, True)


async def test_a_taken_generated_name_is_replaced_and_a_wrong_one_told(http: Http, space: str) -> None:
    long = await http.post(f"{space}/configmaps", {"metadata": {"generateName": "x" * 80}})
    wrong = await http.post(f"{space}/configmaps", {"metadata": {"generateName": "A-"}})
    none = await http.post(f"{space}/configmaps", {"metadata": {}})
    assert (len(long.body["metadata"]["name"]), wrong.code) == (63, 422)
    assert none.body["message"] == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )


async def test_the_approval_of_a_request_leaves_the_rest_alone(http: Http) -> None:
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    await http.post(path, STORED["certificates.k8s.io/v1/CertificateSigningRequest"])
    condition = {"type": "Approved", "status": "True", "reason": "x", "message": "y"}
    body = {"status": {"conditions": [condition]}, "spec": {"signerName": "other.io/x"}}
    reply = await http.patch(f"{path}/a/approval", body)
    assert (reply.code, reply.body["spec"]["signerName"]) == (200, "example.com/x")
    assert reply.body["status"]["conditions"] == [condition]


async def test_a_certificate_request_says_who_asked_whatever_its_client_says(http: Http) -> None:
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    manifest = STORED["certificates.k8s.io/v1/CertificateSigningRequest"]
    spec = {**manifest["spec"], "username": "someone-else"}
    made = await http.post(path, {**manifest, "metadata": {"name": "who"}, "spec": spec})
    changed = await http.patch(f"{path}/who", {"spec": {"username": "someone-else"}})
    assert [r.body["spec"]["username"] for r in (made, changed)] == ["kubernetes-admin"] * 2


async def test_a_text_that_is_no_time_is_refused(http: Http, space: str) -> None:
    jobs = space.replace("/api/v1", "/apis/batch/v1") + "/jobs"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}
    await http.post(jobs, {"metadata": {"name": "timed"}, "spec": {"template": template}})
    reply = await http.patch(f"{jobs}/timed/status?fieldValidation=Strict", {"status": {"startTime": "a"}})
    assert (reply.code, 'parsing time "a"' in reply.body["message"]) == (400, True)
