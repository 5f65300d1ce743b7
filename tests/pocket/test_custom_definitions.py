"""CustomResourceDefinitions themselves: what is refused, names in conflict, conditions, versions, removal."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from lab.base.jsonpath import PathError, find
from lab.pocket.apiserver.crd.definition import definition

from .conftest import Http, Server, Watch
from .test_custom import CRDS, SCHEMA, crd, serve, widget

Object = dict[str, Any]
AT = "spec.versions[0].schema.openAPIV3Schema"


def changed(change: Callable[[Object], object]) -> Object:
    """A good definition with one thing changed in its schema of spec."""
    body = crd("Any")
    body["spec"]["names"] |= {"singular": "any", "listKind": "AnyList"}
    version = body["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"] = schema = deepcopy(SCHEMA)
    change(schema["properties"]["spec"])
    return body


def test_a_good_definition_has_nothing_wrong() -> None:
    assert definition(changed(lambda spec: None), None) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["properties"]["size"].pop("type"),
         f"{AT}.properties[spec].properties[size].type: Required value: must not be empty for specified "
         "object fields"),
        (lambda s: s["properties"].update(list={"type": "array"}),
         f"{AT}.properties[spec].properties[list].items: Required value: must be specified"),
        (lambda s: s.update(additionalProperties={"type": "string"}),
         f"{AT}.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are "
         "mutual exclusive"),
        (lambda s: s["properties"]["items"]["items"].pop("required"),
         f"{AT}.properties[spec].properties[items].items.properties[name].default: Required value: this "
         "property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),
        (lambda s: s.update(anyOf=[{"properties": {"other": {"minimum": 1}}}]),
         f"{AT}.properties[spec].properties[other]: Required value: because it is defined in "
         f"{AT}.properties[spec].anyOf[0].properties[other]"),
        (lambda s: s.update(oneOf=[{"type": "object"}]),
         f"{AT}.properties[spec].oneOf[0].type: Forbidden: must be empty to be structural"),
        (lambda s: s["properties"]["colour"].update(default="blue"),
         f'{AT}.properties[spec].properties[colour].default: Unsupported value: "blue": supported values: '
         '"red", "green"'),
        (lambda s: s["properties"]["colour"].update(pattern="("),
         f'{AT}.properties[spec].properties[colour].pattern: Invalid value: "(": must be a valid regular '
         "expression, but isn't: missing ): ("),
        (lambda s: s.update({"$ref": "#/x"}),
         f"{AT}.properties[spec].$ref: Forbidden: $ref is not supported"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_structural_is_refused(change: Callable[[Object], object], says: str) -> None:
    assert [str(cause) for cause in definition(changed(change), None)] == [says]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"group": "lab"}, 'spec.group: Invalid value: "lab": should be a domain with at least one dot'),
        ({"scope": "World"}, 'spec.scope: Unsupported value: "World": supported values: "Cluster"'),
        ({"conversion": {"strategy": "Webhook"}},
         'spec.conversion.strategy: Unsupported value: "Webhook": supported values: "None"'),
    ],
)  # fmt: skip
def test_what_is_wrong_around_the_schema_is_told(spec: Object, says: str) -> None:
    body = changed(lambda spec: None)
    body["spec"] |= spec
    assert says in str([str(cause) for cause in definition(body, None)])


async def test_a_name_that_another_definition_has_is_not_accepted_until_it_is_free(
    http: Http, server: Server
) -> None:
    first, second = crd("Clash"), crd("Klash")
    second["spec"]["names"] |= {"kind": "Clash", "listKind": "KlashList"}
    await http.post(CRDS, first)
    await http.post(CRDS, second)
    found = (await http.get(f"{CRDS}/klashs.lab.test")).body
    conditions = {c["type"]: (c["status"], c["reason"]) for c in found["status"]["conditions"]}
    assert conditions == {
        "NamesAccepted": ("False", "KindConflict"), "Established": ("False", "NotAccepted"),
    }  # fmt: skip
    assert (await http.get("/apis/lab.test/v1/klashs")).code == 404
    async with Watch(
        http, f"{server.url}{CRDS}?watch=1&fieldSelector=metadata.name=klashs.lab.test"
    ) as watch:
        await http.delete(f"{CRDS}/clashs.lab.test")
        seen = found
        while seen["status"]["conditions"][0]["status"] == "False":
            _, seen = await watch.next()
    assert (await http.get("/apis/lab.test/v1/klashs")).code == 200


async def test_objects_with_finalizers_hold_a_definition_that_is_deleted(
    http: Http, server: Server, space: str
) -> None:
    base = await serve(http, space, "Held")
    body = widget("Held", "a", size=1)
    body["metadata"]["finalizers"] = ["lab.test/hold"]
    await http.post(base, body)
    async with Watch(http, f"{server.url}{CRDS}?watch=1&fieldSelector=metadata.name=helds.lab.test") as watch:
        await http.delete(f"{CRDS}/helds.lab.test")
        kind, seen = await watch.next()
        while not any(c["type"] == "Terminating" for c in seen["status"]["conditions"]):
            kind, seen = await watch.next()
        assert (await http.get(f"{base}/a")).body["metadata"]["deletionTimestamp"]
        assert (await http.post(base, widget("Held", "b", size=1))).code == 405
        await http.patch(f"{base}/a", {"metadata": {"finalizers": None}})
        while kind != "DELETED":
            kind, _ = await watch.next()
    assert (await http.get(base)).code == 404


async def test_a_deprecated_version_warns(http: Http, space: str) -> None:
    body = crd("Old", "v1", "v1beta1")
    body["spec"]["versions"][1] |= {"deprecated": True}
    await http.post(CRDS, body)
    path = space.replace("/api/v1", "/apis/lab.test/v1beta1") + "/olds"
    reply = await http.get(path)
    assert reply.headers["Warning"] == '299 - "lab.test/v1beta1 Old is deprecated"'
    assert "Warning" not in (await http.get(path.replace("v1beta1", "v1"))).headers


async def test_a_version_in_which_objects_may_be_stored_cannot_be_removed(http: Http, space: str) -> None:
    await serve(http, space, "Kept", "v1", "v2")
    body = (await http.get(f"{CRDS}/kepts.lab.test")).body
    body["spec"]["versions"] = [{**body["spec"]["versions"][1], "storage": True}]
    reply = await http.put(f"{CRDS}/kepts.lab.test", body)
    assert "missing from spec.versions; v1 was previously a storage version" in reply.body["message"]


async def test_the_storage_version_may_change_and_both_are_remembered(http: Http, space: str) -> None:
    base = await serve(http, space, "Moved", "v1", "v2")
    await http.post(base, widget("Moved", "a", size=1))
    body = (await http.get(f"{CRDS}/moveds.lab.test")).body
    for version in body["spec"]["versions"]:
        version["storage"] = version["name"] == "v2"
    await http.put(f"{CRDS}/moveds.lab.test", body)
    found = (await http.get(f"{CRDS}/moveds.lab.test")).body
    assert found["status"]["storedVersions"] == ["v1", "v2"]
    assert (await http.get(f"{base}/a")).body["apiVersion"] == "lab.test/v1"


async def test_a_default_that_comes_later_shows_in_objects_that_are_there(
    http: Http, server: Server, space: str
) -> None:
    base = await serve(http, space, "Late")
    before = (await http.post(base, widget("Late", "a", size=1))).body
    body = (await http.get(f"{CRDS}/lates.lab.test")).body
    properties = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["port"] = {"type": "integer", "default": 80}
    await http.put(f"{CRDS}/lates.lab.test", body)
    found = (await http.get(f"{base}/a")).body
    (listed,) = (await http.get(base)).body["items"]
    assert found["spec"] == listed["spec"] == {"size": 1, "colour": "red", "port": 80}
    assert found["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_selectable_fields_select(http: Http, space: str) -> None:
    body = crd("Picked")
    body["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.colour"}]
    await http.post(CRDS, body)
    base = space.replace("/api/v1", "/apis/lab.test/v1") + "/pickeds"
    for name, colour in (("a", "red"), ("b", "green")):
        await http.post(base, widget("Picked", name, size=1, colour=colour))
    items = (await http.get(f"{base}?fieldSelector=spec.colour=green")).body["items"]
    assert [item["metadata"]["name"] for item in items] == ["b"]
    assert (await http.get(f"{base}?fieldSelector=spec.size=1")).code == 400


OBJECT = {
    "spec": {"a.b": 1, "list": [1, 2, 3], "nested": {"name": "deep"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Odd", "count": 3}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.nested.name", ["deep"]),
        ("{.spec.nested.name}", ["deep"]),
        (r".spec.a\.b", [1]),
        (".spec['a.b']", [1]),
        (".spec.list[-1]", [3]),
        (".spec.list[0:2]", [1, 2]),
        (".spec.list[*]", [1, 2, 3]),
        ("..name", ["deep"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Ready')].status", ["True"]),
        (".status.conditions[?(@.count>2)].type", ["Odd"]),
        (".status.conditions[?(@.count)].type", ["Odd"]),
        (".status.missing[0].x", []),
    ],
)
def test_printer_columns_find_their_values(path: str, found: list[Any]) -> None:
    assert find(OBJECT, path) == found


def test_a_path_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(PathError, match="unrecognized"):
        find(OBJECT, ".spec.list[x")


@pytest.mark.parametrize("junk", [None, True, 3, "x", [], [None], {"a": None}])
@pytest.mark.parametrize(
    "word", ["properties", "items", "allOf", "not", "required", "x-kubernetes-validations"]
)
def test_a_schema_of_wrong_json_types_is_an_error_and_no_accident(word: str, junk: Any) -> None:
    for cause in definition(changed(lambda spec: spec.update({word: junk})), None):
        assert cause.field.startswith(AT)


async def test_null_in_a_list_of_objects_is_an_empty_one(http: Http, space: str) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [None]}}
    reply = await http.post(f"{space}/services?fieldValidation=Strict", body)
    assert (reply.code, "spec.ports[0].port: Required value" in reply.body["message"]) == (422, True)
