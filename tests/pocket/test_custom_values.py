"""What a schema says about values, in upstream's words."""

from typing import Any

import pytest

from lab.pocket.apiserver.crd.schema import compile_schema

Schema = dict[str, Any]
_ITEMS = {"type": "array", "items": {"type": "string"}}


def wrong(value: Any, shape: Schema, old: Any = None) -> list[str]:
    schema = compile_schema({"type": "object", "properties": {"x": shape}})
    before = None if old is None else {"metadata": {}, "x": old}
    return [str(cause) for cause in schema.validate({"metadata": {}, "x": value}, before)]


@pytest.mark.parametrize(
    ("value", "shape", "says"),
    [
        ("a", {"type": "integer"}, 'Invalid value: "string": x in body must be of type integer: "string"'),
        (None, {"type": "string"}, 'Invalid value: "null": x in body must be of type string: "null"'),
        (1.5, {"x-kubernetes-int-or-string": True},
         'Invalid value: "number": x in body must be of type integer,string: "number"'),
        ("c", {"type": "string", "enum": ["a", "b"]}, 'Unsupported value: "c": supported values: "a", "b"'),
        ("abc", {"type": "string", "maxLength": 2}, "Too long: may not be more than 2 bytes"),
        ("", {"type": "string", "minLength": 1},
         'Invalid value: "": x in body should be at least 1 chars long'),
        ("b", {"type": "string", "pattern": "^a"}, "Invalid value: \"b\": x in body should match '^a'"),
        (["a"] * 17, {**_ITEMS, "maxItems": 16}, "Too many: 17: must have at most 16 items"),
        ([], {**_ITEMS, "minItems": 1}, "Invalid value: 0: x in body should have at least 1 items"),
        (5, {"type": "integer", "maximum": 4},
         "Invalid value: 5: x in body should be less than or equal to 4"),
        (4, {"type": "integer", "maximum": 4, "exclusiveMaximum": True},
         "Invalid value: 4: x in body should be less than 4"),
        (3, {"type": "integer", "multipleOf": 2}, "Invalid value: 3: x in body should be a multiple of 2"),
        (1 << 31, {"type": "integer", "format": "int32"},
         "Invalid value: 2147483648: Checked value must be of type integer with format int32 in x"),
        ("10.1", {"type": "string", "format": "ipv4"},
         'Invalid value: "10.1": x in body must be of type ipv4: "10.1"'),
        ("yesterday", {"type": "string", "format": "date-time"},
         'Invalid value: "yesterday": x in body must be of type date-time: "yesterday"'),
        ({"a": 1}, {"type": "object", "additionalProperties": {"type": "string"}},
         'Invalid value: "integer": x.a in body must be of type string: "integer"'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_described_as_upstream_does(value: Any, shape: Schema, says: str) -> None:
    (found,) = wrong(value, shape)
    assert found.partition(": ")[2] == says


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, {"type": "string", "nullable": True}),
        ("80%", {"x-kubernetes-int-or-string": True}),
        (2.0, {"type": "integer"}),
        ("anything", {"type": "string", "format": "never-heard-of"}),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", {"type": "string", "format": "uuid4"}),
        ("1h30m", {"type": "string", "format": "duration"}),
    ],
)
def test_a_right_value_passes(value: Any, shape: Schema) -> None:
    assert wrong(value, shape) == []


def test_a_choice_that_none_fits_names_the_place_and_what_is_missing() -> None:
    shape = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
             "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}  # fmt: skip
    assert wrong({}, shape) == [
        '<nil>: Invalid value: "": "x" must validate one and only one schema (oneOf). Found none valid',
        "x.a: Required value",
    ]
    (found,) = wrong({"a": "", "b": ""}, shape)
    assert found.endswith('"x" must validate one and only one schema (oneOf). Found 2 valid alternatives')


def test_duplicates_in_sets_and_keyed_lists_are_refused() -> None:
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
             "items": {"type": "object", "properties": {"name": {"type": "string"}}}}  # fmt: skip
    assert wrong(["a", "b", "a"], {**_ITEMS, "x-kubernetes-list-type": "set"}) == [
        'x[2]: Duplicate value: "a"'
    ]
    assert wrong([{"name": "a"}, {"name": "a"}], keyed) == ['x[1]: Duplicate value: {"name":"a"}']


def test_an_embedded_resource_must_be_one() -> None:
    shape = {"type": "object", "x-kubernetes-embedded-resource": True,
             "x-kubernetes-preserve-unknown-fields": True}  # fmt: skip
    assert wrong({"kind": "Pod"}, shape) == ["x.apiVersion: Required value"]


def test_true_is_not_one_when_a_change_is_looked_for() -> None:
    assert wrong(True, {"type": "integer"}, old=1) != []
    assert wrong(1, {"type": "string"}, old=1) == []
