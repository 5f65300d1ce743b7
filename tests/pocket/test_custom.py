"""CustomResourceDefinitions: served at once, validated, defaulted, pruned, printed, in several versions."""

import asyncio
from typing import Any

from .conftest import APPLY, STRATEGIC, Http, Server, Watch

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
                "port": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "items": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                    },
                },
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


def crd(kind: str, *versions: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    names = versions or ("v1",)
    return {
        "metadata": {"name": f"{plural}.lab.test"},
        "spec": {
            "group": "lab.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": index == 0,
                    "schema": {"openAPIV3Schema": SCHEMA},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    ],
                }
                for index, name in enumerate(names)
            ],
        },
    }


def widget(kind: str, name: str, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"lab.test/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}


async def serve(http: Http, space: str, kind: str, *versions: str) -> str:
    """Create the definition, wait until it is established; returns the collection's path in v1."""
    reply = await http.post(CRDS, crd(kind, *versions))
    assert reply.code == 201, reply.body
    for _ in range(100):
        found = (await http.get(f"{CRDS}/{kind.lower()}s.lab.test")).body
        if any(c["type"] == "Established" for c in found["status"]["conditions"]):
            break
        await asyncio.sleep(0)
    return space.replace("/api/v1", "/apis/lab.test/v1") + f"/{kind.lower()}s"


async def test_objects_are_defaulted_and_pruned_by_the_schema(http: Http, space: str) -> None:
    base = await serve(http, space, "Alpha")
    reply = await http.post(base, widget("Alpha", "a", size=1, unknown=1, free={"x": 1}))
    assert reply.body["spec"] == {"size": 1, "colour": "red", "free": {"x": 1}}


async def test_wrong_objects_are_refused_with_every_cause(http: Http, space: str) -> None:
    base = await serve(http, space, "Beta")
    reply = await http.post(base, widget("Beta", "a", size=0, colour="blue"))
    assert reply.code == 422
    assert reply.body["message"] == (
        'Beta.lab.test "a" is invalid: [spec.size: Invalid value: 0: spec.size in body should be greater '
        'than or equal to 1, spec.colour: Unsupported value: "blue": supported values: "red", "green"]'
    )


async def test_a_missing_required_field_is_named(http: Http, space: str) -> None:
    base = await serve(http, space, "Gamma")
    reply = await http.post(base, widget("Gamma", "a"))
    assert reply.body["details"]["causes"][0] == {
        "field": "spec.size", "message": "Required value", "reason": "FieldValueRequired",
    }  # fmt: skip


async def test_strict_validation_names_unknown_fields(http: Http, space: str) -> None:
    base = await serve(http, space, "Delta")
    reply = await http.post(f"{base}?fieldValidation=Strict", widget("Delta", "a", size=1, odd=1))
    assert (reply.code, 'unknown field "spec.odd"' in reply.body["message"]) == (400, True)


async def test_the_status_subresource_is_apart(http: Http, space: str) -> None:
    base = await serve(http, space, "Epsilon")
    await http.post(base, {**widget("Epsilon", "a", size=1), "status": {"ready": True}})
    main = await http.patch(f"{base}/a", {"status": {"ready": True}})
    sub = await http.patch(f"{base}/a/status", {"status": {"ready": True}, "spec": {"size": 9}})
    assert "status" not in main.body
    assert (sub.body["status"], sub.body["spec"]["size"]) == ({"ready": True}, 1)


async def test_both_versions_show_the_same_object(http: Http, space: str) -> None:
    base = await serve(http, space, "Zeta", "v1", "v1beta1")
    await http.post(base, widget("Zeta", "a", size=2))
    other = await http.get(f"{base.replace('/v1/', '/v1beta1/')}/a")
    assert (other.body["apiVersion"], other.body["spec"]["size"]) == ("lab.test/v1beta1", 2)


async def test_a_watch_in_the_other_version_speaks_that_version(
    http: Http, server: Server, space: str
) -> None:
    base = await serve(http, space, "Eta", "v1", "v1beta1")
    async with Watch(http, f"{server.url}{base.replace('/v1/', '/v1beta1/')}?watch=1") as watch:
        await http.post(base, widget("Eta", "a", size=2))
        _, obj = await watch.next()
    assert obj["apiVersion"] == "lab.test/v1beta1"


async def test_printer_columns_show_in_tables(http: Http, space: str) -> None:
    base = await serve(http, space, "Theta")
    await http.post(base, widget("Theta", "a", size=3))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = (await http.get(base, headers=accept)).body
    names = [column["name"] for column in table["columnDefinitions"]]
    assert (names, table["rows"][0]["cells"]) == (["Name", "Size"], ["a", 3])


async def test_deleting_the_definition_deletes_its_objects_and_its_path(http: Http, space: str) -> None:
    base = await serve(http, space, "Iota")
    await http.post(base, widget("Iota", "a", size=1))
    await http.delete(f"{CRDS}/iotas.lab.test")
    for _ in range(100):
        if (await http.get(base)).code == 404:
            break
    await serve(http, space, "Iota")
    assert (await http.get(base)).body["items"] == []


async def test_apply_merges_keyed_lists_of_custom_objects(http: Http, space: str) -> None:
    base = await serve(http, space, "Kappa")
    for manager, item in (("one", "x"), ("two", "y")):
        body = widget("Kappa", "a", size=1, items=[{"name": item, "value": "v"}])
        reply = await http.patch(f"{base}/a?fieldManager={manager}", body, APPLY)
    assert [item["name"] for item in reply.body["spec"]["items"]] == ["x", "y"]


async def test_strategic_patches_do_not_exist_for_custom_objects(http: Http, space: str) -> None:
    base = await serve(http, space, "Lambda")
    await http.post(base, widget("Lambda", "a", size=1))
    assert (await http.patch(f"{base}/a", {"spec": {}}, STRATEGIC)).code == 415


async def test_discovery_follows_the_definition(http: Http, space: str) -> None:
    await serve(http, space, "Omega")
    found = (await http.get("/apis/lab.test/v1")).body["resources"]
    assert {"omegas", "omegas/status"} <= {entry["name"] for entry in found}


async def test_a_definition_with_a_wrong_name_is_refused(http: Http) -> None:
    body = crd("Wrong")
    body["metadata"]["name"] = "other.lab.test"
    reply = await http.post(CRDS, body)
    assert (reply.code, "spec.names.plural" in reply.body["message"]) == (422, True)
