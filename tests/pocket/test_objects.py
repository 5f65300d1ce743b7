"""create, get, update, delete and list of stored objects, with upstream's metadata rules and errors."""

import asyncio

from .conftest import Http, config_map, deployment, pod


async def test_a_created_object_gets_what_only_the_server_sets(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/configmaps", config_map("a", k="v"))
    meta = reply.body["metadata"]
    assert reply.code == 201
    assert {"uid", "creationTimestamp", "resourceVersion"} <= meta.keys()


async def test_a_second_create_of_a_name_is_refused(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert (reply.code, reply.body["reason"], reply.body["message"]) == (
        409, "AlreadyExists", 'configmaps "a" already exists',
    )  # fmt: skip


async def test_generate_name_makes_different_names(http: Http, space: str) -> None:
    body = {"metadata": {"generateName": "g-"}}
    replies = [await http.post(f"{space}/configmaps", body) for _ in range(5)]
    names = {reply.body["metadata"]["name"] for reply in replies}
    assert {len(name) for name in names} == {7}
    assert len(names) == 5


async def test_a_missing_object_is_a_not_found_status(http: Http, space: str) -> None:
    reply = await http.get(f"{space}/pods/nope")
    assert reply.code == 404
    assert reply.body["message"] == 'pods "nope" not found'
    assert reply.body["details"] == {"name": "nope", "kind": "pods"}


async def test_an_update_from_an_old_revision_conflicts(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a", k="1"))).body
    await http.put(f"{space}/configmaps/a", {**old, "data": {"k": "2"}})
    reply = await http.put(f"{space}/configmaps/a", {**old, "data": {"k": "3"}})
    assert (reply.code, reply.body["reason"]) == (409, "Conflict")


async def test_an_update_that_changes_nothing_keeps_the_revision(http: Http, space: str) -> None:
    old = (await http.post(f"{space}/configmaps", config_map("a", k="1"))).body
    new = (await http.put(f"{space}/configmaps/a", old)).body
    assert new["metadata"]["resourceVersion"] == old["metadata"]["resourceVersion"]


async def test_generation_counts_spec_changes_only(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    labelled = await http.patch(f"{base}/d", {"metadata": {"labels": {"x": "y"}}})
    status = await http.patch(f"{base}/d/status", {"status": {"replicas": 3}})
    scaled = await http.patch(f"{base}/d", {"spec": {"replicas": 3}})
    found = [reply.body["metadata"]["generation"] for reply in (labelled, status, scaled)]
    assert found == [1, 1, 2]


async def test_the_main_resource_does_not_change_the_status(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    reply = await http.patch(f"{space}/pods/p", {"status": {"phase": "Running"}})
    assert reply.body["status"]["phase"] == "Pending"


async def test_the_status_subresource_changes_only_the_status(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    body = {"spec": {"nodeName": "x"}, "status": {"phase": "Running"}}
    reply = await http.patch(f"{space}/pods/p/status", body)
    assert (reply.body["status"]["phase"], "nodeName" in reply.body["spec"]) == ("Running", False)


async def test_finalizers_hold_a_deleted_object_until_they_are_gone(http: Http, space: str) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["lab.test/hold"]
    await http.post(f"{space}/configmaps", body)
    await http.delete(f"{space}/configmaps/a")
    held = await http.get(f"{space}/configmaps/a")
    await http.patch(f"{space}/configmaps/a", {"metadata": {"finalizers": None}})
    gone = await http.get(f"{space}/configmaps/a")
    assert (bool(held.body["metadata"]["deletionTimestamp"]), gone.code) == (True, 404)


async def test_a_dying_object_gains_no_finalizers(http: Http, space: str) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["lab.test/hold"]
    await http.post(f"{space}/configmaps", body)
    await http.delete(f"{space}/configmaps/a")
    added = {"metadata": {"finalizers": ["lab.test/hold", "lab.test/more"]}}
    reply = await http.patch(f"{space}/configmaps/a", added)
    assert (reply.code, "no new finalizers" in reply.body["message"]) == (422, True)


async def test_foreground_deletion_waits_for_the_garbage_collector(http: Http, space: str) -> None:
    base = space.replace("/api/v1", "/apis/apps/v1") + "/deployments"
    await http.post(base, deployment("d"))
    reply = await http.delete(f"{base}/d", {"propagationPolicy": "Foreground"})
    assert reply.body["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_a_bound_pod_is_deleted_gracefully_and_then_by_the_node(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p", nodeName="one"))
    first = await http.delete(f"{space}/pods/p", {"gracePeriodSeconds": 7})
    dying = await http.get(f"{space}/pods/p")
    await http.delete(f"{space}/pods/p", {"gracePeriodSeconds": 0})
    assert first.body["metadata"]["deletionGracePeriodSeconds"] == 7
    assert (dying.code, (await http.get(f"{space}/pods/p")).code) == (200, 404)


async def test_an_unbound_pod_goes_at_once(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("p"))
    await http.delete(f"{space}/pods/p")
    assert (await http.get(f"{space}/pods/p")).code == 404


async def test_a_wrong_uid_precondition_stops_a_delete(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    reply = await http.delete(f"{space}/configmaps/a", {"preconditions": {"uid": "other"}})
    assert (reply.code, (await http.get(f"{space}/configmaps/a")).code) == (409, 200)


async def test_deletecollection_deletes_what_the_selector_names(http: Http, space: str) -> None:
    for name in ("a", "b"):
        await http.post(f"{space}/pods", pod(name))
    await http.delete(f"{space}/pods?labelSelector=app%3Da")
    left = (await http.get(f"{space}/pods")).body["items"]
    assert [item["metadata"]["name"] for item in left] == ["b"]


async def test_dry_run_stores_nothing(http: Http, space: str) -> None:
    reply = await http.post(f"{space}/configmaps?dryRun=All", config_map("a"))
    assert (reply.code, (await http.get(f"{space}/configmaps/a")).code) == (201, 404)


async def test_pages_show_the_list_as_it_was_at_the_first(http: Http, space: str) -> None:
    for name in "abcd":
        await http.post(f"{space}/configmaps", config_map(name))
    first = (await http.get(f"{space}/configmaps?limit=2")).body
    await http.delete(f"{space}/configmaps/d")
    more = first["metadata"]["continue"]
    second = (await http.get(f"{space}/configmaps?limit=2&continue={more}")).body
    names = [item["metadata"]["name"] for item in (*first["items"], *second["items"])]
    assert names == list("abcd")


async def test_field_selectors_choose_by_field_and_name_unknown_ones(http: Http, space: str) -> None:
    await http.post(f"{space}/pods", pod("a", nodeName="one"))
    await http.post(f"{space}/pods", pod("b"))
    found = (await http.get(f"{space}/pods?fieldSelector=spec.nodeName%3Done")).body["items"]
    bad = await http.get(f"{space}/pods?fieldSelector=spec.foo%3Done")
    assert ([p["metadata"]["name"] for p in found], bad.code) == (["a"], 400)


async def test_parallel_patches_all_arrive(http: Http, space: str) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    patches = [http.patch(f"{space}/configmaps/a", {"data": {f"k{n}": "v"}}) for n in range(20)]
    replies = await asyncio.gather(*patches)
    data = (await http.get(f"{space}/configmaps/a")).body["data"]
    assert ({reply.code for reply in replies}, len(data)) == ({200}, 20)


async def test_nothing_is_created_in_a_missing_namespace(http: Http) -> None:
    reply = await http.post("/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')


async def test_nothing_is_created_in_a_dying_namespace(http: Http, space: str) -> None:
    await http.delete(space)
    reply = await http.post(f"{space}/configmaps", config_map("a"))
    assert (reply.code, "because it is being terminated" in reply.body["message"]) == (403, True)


async def test_emptying_a_dying_namespace_of_finalizers_removes_it(http: Http, space: str) -> None:
    body = (await http.delete(space)).body
    await http.put(f"{space}/finalize", {**body, "spec": {"finalizers": []}})
    assert (await http.get(space)).code == 404


async def test_a_finished_delete_shows_the_object_for_some_kinds_and_a_status_for_others(
    http: Http, space: str
) -> None:
    await http.post(f"{space}/configmaps", config_map("a"))
    made = (await http.post(f"{space}/pods", pod("a"))).body
    shown = (await http.delete(f"{space}/pods/a")).body
    told = (await http.delete(f"{space}/configmaps/a")).body
    assert (shown["kind"], shown["metadata"]["uid"]) == ("Pod", made["metadata"]["uid"])
    assert (told["kind"], told["status"], told["details"]["name"]) == ("Status", "Success", "a")
