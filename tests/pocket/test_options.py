"""What a request asks for beside the object: wrong options are refused, dry runs change nothing."""

from typing import Any

import pytest

from .conftest import APPLY, Http, config_map, deployment, pod

MATCH, UNKNOWN = "resourceVersionMatch: Forbidden:", "Unsupported value:"
QUERIES = [
    ("GET", "List", "resourceVersionMatch=Exact",
     f"{MATCH} resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ("GET", "List", "resourceVersionMatch=Exact&resourceVersion=0",
     f'{MATCH} resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
    ("GET", "List", "resourceVersionMatch=Near&resourceVersion=1",
     f'resourceVersionMatch: {UNKNOWN} "Near": supported values: "Exact", "NotOlderThan", ""'),
    ("GET", "List", "sendInitialEvents=true",
     "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
    ("GET", "List", "watch=1&sendInitialEvents=true",
     f"{MATCH} sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    ("GET", "List", "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
     f"{MATCH} resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
    ("POST", "Create", "dryRun=Some", f'dryRun: {UNKNOWN} ["Some"]: supported values: "All"'),
    ("POST", "Create", "fieldValidation=Loose",
     f'fieldValidation: {UNKNOWN} "Loose": supported values: "", "Ignore", "Strict", "Warn"'),
    ("POST", "Create", f"fieldManager={'m' * 129}",
     "fieldManager: Too long: may not be more than 128 bytes"),
    ("PATCH", "Patch", "force=true", "force: Forbidden: may not be specified for non-apply patch"),
    ("DELETE", "Delete", "propagationPolicy=Sometimes",
     f'propagationPolicy: {UNKNOWN} "Sometimes": supported values: "Foreground", "Background", "Orphan", '
     '"nil"'),
    ("DELETE", "Delete", "propagationPolicy=Orphan&orphanDependents=true",
     'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both '
     "set"),
    ("DELETE", "Delete", "dryRun=Some", f'dryRun: {UNKNOWN} ["Some"]: supported values: "All"'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options", "query", "text"), QUERIES)
async def test_a_wrong_option_is_invalid_and_named(
    http: Http, space: str, method: str, options: str, query: str, text: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    name = "" if method in ("GET", "POST") else "/a"
    body = None if method in ("GET", "DELETE") else config_map("b")
    kind = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    reply = await http(method, f"{space}/configmaps{name}?{query}", body, headers=kind)
    expected = f'{options}Options.meta.k8s.io "" is invalid: {text}'
    assert (reply.code, reply.body["message"]) == (422, expected)


async def test_an_apply_without_a_manager_is_refused(http: Http, space: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    reply = await http.patch(f"{space}/configmaps/a", body, APPLY)
    expected = "fieldManager: Required value: is required for apply patch"
    assert reply.body["message"] == f'PatchOptions.meta.k8s.io "" is invalid: {expected}'


async def test_a_dry_run_update_and_patch_show_what_would_be_and_change_nothing(
    http: Http, space: str
) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a", k="1"))).body
    put = await http.put(f"{space}/configmaps/a?dryRun=All", {**old, "data": {"k": "2"}})
    patched = await http.patch(f"{space}/configmaps/a?dryRun=All", {"data": {"k": "3"}})
    now = (await http.get(f"{space}/configmaps/a")).body
    assert [one["data"]["k"] for one in (put.body, patched.body, now)] == ["2", "3", "1"]
    assert now["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


@pytest.mark.parametrize("where", ["query", "body"])
async def test_a_dry_run_delete_deletes_nothing(http: Http, space: str, where: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    query, body = ("?dryRun=All", None) if where == "query" else ("", {"dryRun": ["All"]})
    single = await http.delete(f"{space}/configmaps/a{query}", body)
    many = await http.delete(f"{space}/configmaps{query}", body)
    left = await http.get(f"{space}/configmaps/a")
    assert [reply.code for reply in (single, many, left)] == [200, 200, 200]


async def test_a_dry_run_eviction_evicts_nobody(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    body = {"metadata": {"name": "p"}, "deleteOptions": {"dryRun": ["All"]}}
    reply = await http.post(f"{space}/pods/p/eviction", body)
    assert (reply.code, (await http.get(f"{space}/pods/p")).code) == (201, 200)


async def test_a_dry_run_create_allocates_a_name_and_keeps_nothing(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/configmaps?dryRun=All", {"metadata": {"generateName": "g-"}})
    left = (await http.get(f"{space}/configmaps")).body["items"]
    assert (reply.body["metadata"]["name"].startswith("g-"), left) == (True, [])


DUPLICATE = b'{"metadata":{"name":"a"},"data":{"k":"1","k":"2"},"spce":1}'


async def test_strict_validation_names_repeated_and_unknown_fields(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/configmaps?fieldValidation=Strict", DUPLICATE)
    expected = (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'duplicate field "data.k", unknown field "spce"'
    )
    assert (reply.code, reply.body["message"]) == (400, expected)


async def test_warnings_name_repeated_and_unknown_fields_and_the_last_value_counts(
    http: Http, space: str
) -> None:
    path = f"{http._server.url}{space}/configmaps?fieldValidation=Warn"
    kind = {"Content-Type": "application/json"}
    async with http.session.post(path, data=DUPLICATE, headers=kind) as answer:
        found = await answer.json()
        warnings = answer.headers.getall("Warning")
    assert warnings == [
        '299 - "duplicate field \\"data.k\\""', '299 - "unknown field \\"spce\\""',
    ]  # fmt: skip
    assert (found["data"], "spce" in found) == ({"k": "2"}, False)


async def test_ignored_validation_says_nothing(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/configmaps?fieldValidation=Ignore", DUPLICATE)
    assert (reply.code, "Warning" in reply.headers) == (201, False)


async def test_a_repeated_key_in_yaml_is_told_too(http: Http, space: str) -> None:
    text = b"metadata: {name: a}\ndata: {k: '1', k: '2'}\n"
    headers = {"Content-Type": "application/yaml"}
    reply = await http.post(f"{space}/configmaps?fieldValidation=Strict", text, headers=headers)
    assert (reply.code, 'duplicate field "data.k"' in reply.body["message"]) == (400, True)


async def test_orphan_dependents_is_the_old_word_for_orphan(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    reply = await http.delete(f"{base}/d", {"orphanDependents": True})
    assert reply.body["metadata"]["finalizers"] == ["orphan"]


PRECONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"uid": "x"}, "the UID in the precondition (x) does not match the UID in record"),
    (
        {"resourceVersion": "1"},
        "the ResourceVersion in the precondition (1) does not match the ResourceVersion",
    ),
]


@pytest.mark.parametrize(("wanted", "text"), PRECONDITIONS)
async def test_a_delete_with_another_precondition_conflicts(
    http: Http, space: str, wanted: dict[str, Any], text: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    reply = await http.delete(f"{space}/configmaps/a", {"preconditions": wanted})
    assert (reply.code, reply.body["reason"]) == (409, "Conflict")
    assert reply.body["message"].startswith(f'Operation cannot be fulfilled on ConfigMap "a": {text}')


async def test_deletecollection_stops_at_its_limit(http: Http, space: str) -> None:
    for name in "abc":
        await http.post(f"{space}/configmaps", config_map(name))
    await http.delete(f"{space}/configmaps?limit=2")
    left = (await http.get(f"{space}/configmaps")).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["c"]


@pytest.mark.parametrize(("asked", "given"), [(5, 5), (-3, 1), (1 << 40, 1 << 31)])
async def test_a_pods_grace_is_what_was_asked_within_reason(
    http: Http, space: str, asked: int, given: int
) -> None:
    await http.post(f"{space}/pods", pod("p", nodeName="one"))
    body = {"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": asked}}
    await http.post(f"{space}/pods/p/eviction", body)
    meta = (await http.get(f"{space}/pods/p")).body["metadata"]
    await http.delete(f"{space}/pods/p", {"gracePeriodSeconds": 0})
    assert meta["deletionGracePeriodSeconds"] == given


async def test_a_grace_that_is_no_number_is_a_bad_request(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    reply = await http.delete(f"{space}/pods/p?gracePeriodSeconds=soon")
    assert (reply.code, "must be a number" in reply.body["message"]) == (400, True)
