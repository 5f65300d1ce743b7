"""JSON, merge and strategic patches, server-side apply and field ownership."""

from typing import Any

from .conftest import APPLY, JSON_PATCH, STRATEGIC, Http, Reply, config_map, deployment


async def apply(http: Http, path: str, body: dict[str, Any], manager: str, force: str = "false") -> Reply:
    return await http.patch(f"{path}?fieldManager={manager}&force={force}", body, APPLY)


def full(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", **config_map(name, **data)}


async def test_a_json_patch_that_fails_its_test_changes_nothing(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a", k="1"))
    patch = [
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "test", "path": "/data/k", "value": "9"},
    ]
    reply = await http.patch(f"{space}/configmaps/a", patch, JSON_PATCH)
    assert (reply.code, (await http.get(f"{space}/configmaps/a")).body["data"]) == (422, {"k": "1"})


async def test_a_merge_patch_removes_nulls(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a", k="1", j="2"))
    reply = await http.patch(f"{space}/configmaps/a", {"data": {"k": None}})
    assert reply.body["data"] == {"j": "2"}


async def test_a_strategic_patch_merges_containers_by_name(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    containers = [{"name": "side", "image": "x"}, {"name": "main", "env": [{"name": "A", "value": "1"}]}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    reply = await http.patch(f"{base}/d", patch, STRATEGIC)
    found = {c["name"]: c["image"] for c in reply.body["spec"]["template"]["spec"]["containers"]}
    assert found == {"main": "lab/echo:1", "side": "x"}


async def test_a_strategic_delete_directive_removes_one_item(http: Http, space: str) -> None:
    service = {
        "metadata": {"name": "s"},
        "spec": {"ports": [{"name": p, "port": n} for p, n in (("a", 1), ("b", 2))]},
    }
    await http.post(f"{space}/services", service)
    patch = {"spec": {"ports": [{"port": 1, "$patch": "delete"}]}}
    reply = await http.patch(f"{space}/services/s", patch, STRATEGIC)
    assert [port["name"] for port in reply.body["spec"]["ports"]] == ["b"]


async def test_a_patch_that_names_an_old_revision_conflicts(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a"))).body["metadata"]["resourceVersion"]
    await http.patch(f"{space}/configmaps/a", {"data": {"k": "1"}})
    stale = {"metadata": {"resourceVersion": old}, "data": {"k": "2"}}
    assert (await http.patch(f"{space}/configmaps/a", stale)).code == 409


async def test_an_unknown_patch_type_is_refused(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    assert (await http.patch(f"{space}/configmaps/a", {}, "application/json")).code == 415


async def test_apply_creates_and_owns_what_it_names(http: Http, space: str) -> None:
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    (entry,) = reply.body["metadata"]["managedFields"]
    assert (reply.code, entry["manager"], entry["fieldsV1"]) == (201, "one", {"f:data": {"f:k": {}}})


async def test_apply_conflicts_with_another_managers_value(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="2"), "two")
    assert reply.code == 409
    assert reply.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.k'


async def test_a_forced_apply_takes_the_field_over(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="2"), "two", force="true")
    owners = [entry["manager"] for entry in reply.body["metadata"]["managedFields"]]
    assert (reply.body["data"], owners) == ({"k": "2"}, ["two"])


async def test_equal_values_are_shared_without_conflict(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="1"), "two")
    assert len(reply.body["metadata"]["managedFields"]) == 2


async def test_a_field_that_its_only_applier_drops_goes(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1", j="2"), "one")
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    assert reply.body["data"] == {"k": "1"}


async def test_a_dropped_field_that_another_applier_holds_stays(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1", j="2"), "one")
    await apply(http, f"{space}/configmaps/a", full("a", j="2"), "two")
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    assert reply.body["data"] == {"k": "1", "j": "2"}


async def test_an_update_takes_ownership_of_what_it_changes(http: Http, space: str) -> None:
    await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    await http.patch(f"{space}/configmaps/a?fieldManager=editor", {"data": {"k": "2"}})
    reply = await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    assert 'conflict with "editor"' in reply.body["message"]


async def test_a_dropped_container_goes_and_a_foreign_one_stays(http: Http, space: str) -> None:
    path = space.replace("/api/v1", "/apis/apps/v1") + "/deployments/d"
    body = deployment("d")
    containers = body["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "extra", "image": "x"})
    await apply(http, path, body, "one")
    foreign = [{"name": "sidecar", "image": "y"}]
    await http.patch(path, {"spec": {"template": {"spec": {"containers": foreign}}}}, STRATEGIC)
    containers.pop()
    reply = await apply(http, path, body, "one")
    names = [c["name"] for c in reply.body["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "sidecar"]


async def test_apply_without_a_manager_is_refused(http: Http, space: str) -> None:
    reply = await http.patch(f"{space}/configmaps/a", full("a"), APPLY)
    assert (reply.code, "fieldManager" in reply.body["message"]) == (422, True)
