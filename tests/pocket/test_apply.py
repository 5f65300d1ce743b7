"""Server-side apply in detail: what goes, what stays, whose it is, and how kubectl meets it."""

import json
from typing import Any

import pytest

from lab.pocket.apiserver.patching.fields import from_tree, to_tree
from lab.pocket.apiserver.resources.builtin import table

from .conftest import APPLY, JSON_PATCH, Http, Reply, Server, deployment
from .test_custom import serve, widget
from .test_patches import apply, full

Object = dict[str, Any]


def web(**container: Any) -> Object:
    body = deployment("d")
    body["spec"]["template"]["spec"]["containers"][0] |= container
    return body


def deployments(space: str) -> str:
    return space.replace("/api/v1", "/apis/apps/v1") + "/deployments"


def container(reply: Reply) -> Object:
    found: Object = reply.body["spec"]["template"]["spec"]["containers"][0]
    return found


def fields_of(reply: Reply, manager: str) -> Object:
    (entry,) = [e for e in reply.body["metadata"]["managedFields"] if e["manager"] == manager]
    found: Object = entry["fieldsV1"]
    return found


async def test_nested_fields_that_are_no_longer_applied_go(http: Http, space: str) -> None:
    path = f"{deployments(space)}/d"
    await apply(http, path, web(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]), "one")
    reply = await apply(http, path, web(env=[{"name": "B", "value": "2"}]), "one")
    assert container(reply)["env"] == [{"name": "B", "value": "2"}]
    reply = await apply(http, path, web(), "one")
    assert "env" not in container(reply)


async def test_a_key_that_is_left_out_has_its_default(http: Http, space: str) -> None:
    path = f"{deployments(space)}/d"
    await apply(http, path, web(ports=[{"containerPort": 80, "name": "http"}]), "one")
    ports = [{"containerPort": 80, "protocol": "TCP", "hostIP": "127.0.0.1"}]
    reply = await apply(http, path, web(ports=ports), "two")
    (port,) = container(reply)["ports"]
    assert (port["name"], port["hostIP"]) == ("http", "127.0.0.1")
    owned = fields_of(reply, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert 'k:{"containerPort":80,"protocol":"TCP"}' in owned["f:ports"]


async def test_items_come_in_the_order_of_who_applies(http: Http, space: str) -> None:
    path = f"{deployments(space)}/d"
    env = [{"name": name, "value": "1"} for name in "abc"]
    await apply(http, path, web(env=env), "one")
    reply = await apply(http, path, web(env=[env[2], {"name": "x", "value": "1"}, env[0]]), "two")
    assert [e["name"] for e in container(reply)["env"]] == ["b", "c", "x", "a"]


async def test_an_atomic_value_has_one_owner(http: Http, space: str) -> None:
    path = f"{deployments(space)}/d"
    body = web()
    body["spec"]["template"]["spec"]["nodeSelector"] = {"a": "1"}
    await apply(http, path, body, "one")
    body["spec"]["template"]["spec"]["nodeSelector"] = {"b": "1"}
    reply = await apply(http, path, body, "two")
    assert reply.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict", "message": 'conflict with "one"',
            "field": ".spec.template.spec.nodeSelector",
        }
    ]  # fmt: skip


async def test_conflicts_with_several_managers_are_listed_by_manager(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a"
    await apply(http, path, full("a", k="1"), "one")
    await http.patch(f"{path}?fieldManager=two", {"data": {"j": "1"}})
    reply = await apply(http, path, full("a", k="2", j="2"), "three")
    assert reply.body["message"] == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.k\n'
        'conflicts with "two" using v1:\n- .data.j'
    )


async def test_an_empty_configuration_gives_everything_up(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a"
    await apply(http, path, full("a", k="1"), "one")
    await apply(http, path, full("a", j="1"), "two")
    reply = await apply(http, path, {"apiVersion": "v1", "kind": "ConfigMap"}, "one")
    assert reply.body["data"] == {"j": "1"}
    assert [e["manager"] for e in reply.body["metadata"]["managedFields"]] == ["two"]


async def test_duplicate_keys_are_refused_by_name(http: Http, space: str) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    reply = await apply(http, f"{deployments(space)}/d", web(env=env), "one")
    assert reply.code == 400
    assert '[name="main"].env: duplicate entries for key [name="A"]' in reply.body["message"]


async def test_ownership_is_reset_by_an_empty_entry(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a"
    await apply(http, path, full("a", k="1"), "one")
    reset = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    reply = await http.patch(path, reset, JSON_PATCH)
    assert "managedFields" not in reply.body["metadata"]
    reply = await apply(http, path, full("a", j="1"), "two")
    assert {e["manager"] for e in reply.body["metadata"]["managedFields"]} == {"before-first-apply", "two"}
    assert fields_of(reply, "before-first-apply") == {"f:data": {".": {}, "f:k": {}}}


async def test_a_client_may_edit_managed_fields(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a"
    created = (await http.post(f"{space}/configmaps?fieldManager=old", full("a", k="1"))).body
    (entry,) = created["metadata"]["managedFields"]
    renamed = [{**entry, "manager": "new", "operation": "Apply"}]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": renamed}]
    reply = await http.patch(path, patch, JSON_PATCH)
    assert [(e["manager"], e["operation"]) for e in reply.body["metadata"]["managedFields"]] == [
        ("new", "Apply")
    ]


async def test_the_oldest_of_many_updaters_become_one(http: Http, space: str) -> None:
    path = f"{space}/configmaps/a"
    await http.post(f"{space}/configmaps?fieldManager=m0", full("a"))
    for number in range(13):
        reply = await http.patch(f"{path}?fieldManager=m{number}", {"data": {f"k{number}": "1"}})
    names = [e["manager"] for e in reply.body["metadata"]["managedFields"]]
    assert (len(names), names.count("ancient-changes")) == (10, 1)


async def test_status_and_main_resource_have_owners_of_their_own(http: Http, space: str) -> None:
    base = await serve(http, space, "Owned")
    await apply(http, f"{base}/a", widget("Owned", "a", size=1), "one")
    status = {"apiVersion": "lab.test/v1", "kind": "Owned", "status": {"ready": True}, "spec": {"size": 9}}
    reply = await apply(http, f"{base}/a/status", status, "one")
    assert (reply.body["spec"]["size"], reply.body["status"]) == (1, {"ready": True})
    assert [(e.get("subresource", ""), e["fieldsV1"]) for e in reply.body["metadata"]["managedFields"]] == [
        ("", {"f:spec": {"f:size": {}}}),
        ("status", {"f:status": {"f:ready": {}}}),
    ]


async def test_scaling_is_recorded_under_its_subresource(http: Http, space: str) -> None:
    path = f"{deployments(space)}/d"
    body = web()
    body["spec"]["replicas"] = 1
    await apply(http, path, body, "one")
    await http.patch(f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 3}})
    reply = await apply(http, path, body, "one")
    assert reply.body["message"] == (
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: '
        ".spec.replicas"
    )


async def test_a_manager_that_applies_in_another_version_stays_the_same_one(http: Http, space: str) -> None:
    base = await serve(http, space, "Versioned", "v1", "v2")
    await apply(http, f"{base}/a", widget("Versioned", "a", size=1, port=80), "one")
    other = widget("Versioned", "a", "v2", size=1)
    reply = await apply(http, f"{base.replace('/v1/', '/v2/')}/a", other, "one")
    assert "port" not in reply.body["spec"]
    assert [e["apiVersion"] for e in reply.body["metadata"]["managedFields"]] == ["lab.test/v2"]


async def test_what_a_create_owns_is_what_upstream_records(http: Http, space: str) -> None:
    reply = await http.post(f"{deployments(space)}?fieldManager=maker", web())
    spec = fields_of(reply, "maker")["f:spec"]
    assert "." not in spec  # a struct that every Deployment has
    assert spec["f:selector"] == {}  # one value
    assert spec["f:strategy"]["f:rollingUpdate"] == {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}
    assert spec["f:template"]["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    assert "f:status" not in fields_of(reply, "maker")


async def test_kubectl_goes_from_client_side_to_server_side_apply(server: Server, space: str) -> None:
    namespace = space.rpartition("/")[2]
    text = json.dumps({**full("a", k="1", j="1"), "metadata": {"name": "a", "namespace": namespace}})
    server.kubectl("apply", "-f", "-", text=text)
    text = json.dumps({**full("a", k="2"), "metadata": {"name": "a", "namespace": namespace}})
    server.kubectl("apply", "--server-side", "-f", "-", text=text)
    found = json.loads(
        server.kubectl("get", "cm", "a", "-n", namespace, "-o", "json", "--show-managed-fields")
    )
    assert found["data"] == {"k": "2"}
    owned = {e["manager"]: e for e in found["metadata"]["managedFields"]}
    assert {e["operation"] for e in owned.values()} == {"Apply"}
    assert owned["kubectl"]["fieldsV1"] == {"f:data": {"f:k": {}}}
    assert owned.keys() == {"kubectl", "kubectl-last-applied"}  # the annotation stays, for those who go back


async def test_kubectl_forces_conflicts_when_told_to(server: Server, http: Http, space: str) -> None:
    namespace = space.rpartition("/")[2]
    await apply(http, f"{space}/configmaps/a", full("a", k="1"), "one")
    text = json.dumps({**full("a", k="2"), "metadata": {"name": "a", "namespace": namespace}})
    refused = server.kubectl("apply", "--server-side", "-f", "-", text=text, code=1)
    assert 'conflict with "one": .data.k' in refused
    server.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)
    assert (await http.get(f"{space}/configmaps/a")).body["data"] == {"k": "2"}


async def test_apply_is_yaml_too(http: Http, space: str) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\ndata: {k: '1'}\n"
    reply = await http.patch(f"{space}/configmaps/a?fieldManager=one", text, APPLY)
    assert (reply.code, reply.body["data"]) == (201, {"k": "1"})


def test_field_sets_survive_their_written_form() -> None:
    tree = {"f:a": {".": {}, "f:b": {}}, "f:list": {'k:{"name":"x"}': {".": {}, "f:name": {}}}}
    assert to_tree(from_tree(tree)) == tree


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row.group}/{row.version} {row.kind}")
def test_every_served_kind_has_its_type(row: Any) -> None:
    from lab.pocket.apiserver.patching import upstream

    assert upstream.type_of(row.group, row.version, row.kind) in upstream.types()
