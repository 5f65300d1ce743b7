"""x-kubernetes-validations of custom resources on a real server: rules, transitions, messages, ratcheting."""

import itertools
from typing import Any

from .conftest import Http, Reply
from .test_custom import CRDS, crd, widget

_COUNT = itertools.count()
Schema = dict[str, Any]


def with_spec(kind: str, spec: Schema) -> dict[str, Any]:
    body = crd(kind)
    version = body["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"] = {"type": "object", "properties": {"spec": spec}}
    return body


async def serve(http: Http, space: str, spec: Schema) -> tuple[str, str]:
    """A new kind with this spec; returns its name and the path of its collection."""
    kind = f"Ruled{next(_COUNT)}"
    reply = await http.post(CRDS, with_spec(kind, spec))
    assert reply.code == 201, reply.body
    await http.get(f"{CRDS}/{kind.lower()}s.lab.test")
    return kind, space.replace("/api/v1", "/apis/lab.test/v1") + f"/{kind.lower()}s"


def obj(rules: list[dict[str, Any]], **properties: Schema) -> Schema:
    return {"type": "object", "x-kubernetes-validations": rules, "properties": properties}


def causes(reply: Reply) -> list[str]:
    assert reply.code == 422, reply.body
    return [f"{cause['field']}: {cause['message']}" for cause in reply.body["details"]["causes"]]


NUMBER, TEXT = {"type": "integer"}, {"type": "string"}


async def test_a_broken_rule_is_told_with_its_message(http: Http, space: str) -> None:
    rule = {"rule": "self.low <= self.high", "message": "low must not be above high"}
    kind, base = await serve(http, space, obj([rule], low=NUMBER, high=NUMBER))
    assert (await http.post(base, widget(kind, "good", low=1, high=2))).code == 201
    reply = await http.post(base, widget(kind, "bad", low=2, high=1))
    assert reply.body["message"] == (
        f'{kind}.lab.test "bad" is invalid: spec: Invalid value: "object": low must not be above high'
    )


async def test_a_rule_without_a_message_is_shown_itself(http: Http, space: str) -> None:
    kind, base = await serve(http, space, obj([{"rule": "self.low > 3"}], low=NUMBER))
    assert causes(await http.post(base, widget(kind, "bad", low=1))) == [
        'spec: Invalid value: "object": failed rule: self.low > 3'
    ]


async def test_message_expression_field_path_and_reason_shape_the_error(http: Http, space: str) -> None:
    rule = {
        "rule": "self.low > 3", "messageExpression": "'low is ' + string(self.low)",
        "fieldPath": ".low", "reason": "FieldValueForbidden",
    }  # fmt: skip
    kind, base = await serve(http, space, obj([rule], low=NUMBER))
    reply = await http.post(base, widget(kind, "bad", low=1))
    assert reply.body["details"]["causes"] == [
        {"field": "spec.low", "message": "Forbidden: low is 1", "reason": "FieldValueForbidden"}
    ]


async def test_a_transition_rule_only_speaks_about_updates(http: Http, space: str) -> None:
    fixed = {**TEXT, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}]}
    kind, base = await serve(http, space, obj([], fixed=fixed, free=TEXT))
    await http.post(base, widget(kind, "a", fixed="x"))
    assert (await http.patch(f"{base}/a", {"spec": {"free": "y"}})).code == 200
    reply = await http.patch(f"{base}/a", {"spec": {"fixed": "y"}})
    assert causes(reply) == ['spec.fixed: Invalid value: "string": is immutable']


async def test_an_optional_old_self_lets_a_rule_speak_about_creation_too(http: Http, space: str) -> None:
    rule = {"rule": "oldSelf.hasValue() || self.low == 0", "message": "starts at 0", "optionalOldSelf": True}
    kind, base = await serve(http, space, obj([rule], low=NUMBER))
    assert causes(await http.post(base, widget(kind, "a", low=1))) == [
        'spec: Invalid value: "object": starts at 0'
    ]
    await http.post(base, widget(kind, "a", low=0))
    assert (await http.patch(f"{base}/a", {"spec": {"low": 1}})).code == 200


async def test_items_of_keyed_lists_meet_their_own_old_selves(http: Http, space: str) -> None:
    item = obj([{"rule": "self.size >= oldSelf.size"}], name=TEXT, size=NUMBER)
    items = {
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {**item, "required": ["name"]},
    }  # fmt: skip
    kind, base = await serve(http, space, obj([], items=items))
    await http.post(base, widget(kind, "a", items=[{"name": "x", "size": 5}, {"name": "y", "size": 1}]))
    moved = {"spec": {"items": [{"name": "y", "size": 2}, {"name": "x", "size": 4}]}}
    assert causes(await http.patch(f"{base}/a", moved)) == [
        'spec.items[1]: Invalid value: "object": failed rule: self.size >= oldSelf.size'
    ]


async def test_rules_wait_until_the_shape_is_right(http: Http, space: str) -> None:
    kind, base = await serve(http, space, obj([{"rule": "self.low > 3"}], low=NUMBER))
    found = causes(await http.post(base, widget(kind, "a", low="x")))
    assert found[0] == (
        'spec.low: Invalid value: "string": spec.low in body must be of type integer: "string"'
    )
    assert "some validation rules were not checked because the object was invalid" in found[1]


async def test_what_an_update_leaves_alone_is_not_held_against_it(http: Http, space: str) -> None:
    kind, base = await serve(http, space, obj([], low=NUMBER, free=TEXT))
    await http.post(base, widget(kind, "a", low=1))
    stricter = obj(
        [], low={**NUMBER, "minimum": 3, "x-kubernetes-validations": [{"rule": "self > 2"}]}, free=TEXT
    )
    name = f"{kind.lower()}s.lab.test"
    changed = with_spec(kind, stricter)["spec"]
    assert (await http.patch(f"{CRDS}/{name}", {"spec": changed})).code == 200
    assert (await http.patch(f"{base}/a", {"spec": {"free": "x"}})).code == 200
    assert (await http.patch(f"{base}/a", {"spec": {"low": 2}})).code == 422


async def test_names_that_are_no_identifiers_are_escaped(http: Http, space: str) -> None:
    rule = {"rule": "self.__namespace__ == 'x' && self.a__dash__b == 1"}
    kind, base = await serve(http, space, obj([rule], **{"namespace": TEXT, "a-b": NUMBER}))
    assert (await http.post(base, widget(kind, "a", **{"namespace": "x", "a-b": 1}))).code == 201


async def test_formats_give_rules_their_types(http: Http, space: str) -> None:
    rule = {"rule": "self.wait < duration('1m') && self.since > timestamp('2020-01-01T00:00:00Z')"}
    shape = obj([rule], wait={**TEXT, "format": "duration"}, since={**TEXT, "format": "date-time"})
    kind, base = await serve(http, space, shape)
    good = {"wait": "30s", "since": "2024-05-01T00:00:00Z"}
    assert (await http.post(base, widget(kind, "a", **good))).code == 201
    assert (await http.post(base, widget(kind, "b", **{**good, "wait": "2m"}))).code == 422


async def test_a_rule_with_an_unknown_function_is_refused_by_name(http: Http) -> None:
    reply = await http.post(CRDS, with_spec("Unruly", obj([{"rule": "frobnicate(self)"}], low=NUMBER)))
    (found,) = causes(reply)
    assert found.startswith(
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: "
    )
    assert "compilation failed: ERROR: <input>:1:11: undeclared reference to 'frobnicate'" in found


async def test_a_rule_that_is_no_boolean_is_refused(http: Http) -> None:
    reply = await http.post(CRDS, with_spec("Unruly", obj([{"rule": "'yes'"}], low=NUMBER)))
    assert "must evaluate to a bool" in causes(reply)[0]


async def test_a_rule_sees_the_type_that_the_schema_declares(http: Http) -> None:
    low = {**NUMBER, "x-kubernetes-validations": [{"rule": "self.startsWith('a')"}]}
    assert (
        "found no matching overload for 'startsWith'"
        in causes(await http.post(CRDS, with_spec("Unruly", obj([], low=low))))[0]
    )
