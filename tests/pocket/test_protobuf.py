"""Protobuf bodies: what client-go writes becomes what JSON would have said."""

import json

import pytest

from lab.pocket.apiserver.errors import StatusError
from lab.pocket.apiserver.http.protobuf import MAGIC, TABLE, decode
from lab.pocket.apiserver.resources.builtin import table


def field(number: int, value: bytes | str | int) -> bytes:
    """One field as client-go encodes it; all numbers here fit one byte, and sizes two."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def body(version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + field(1, field(1, version) + field(2, kind)) + field(2, raw)


NAMED = field(1, field(1, "web") + field(2, "") + field(3, "shop"))


def test_metadata_and_maps_are_read_and_empty_optional_fields_left_out() -> None:
    entry = field(1, "greeting") + field(2, "hello")
    assert decode(body("v1", "ConfigMap", NAMED + field(2, entry))) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "shop"},
        "data": {"greeting": "hello"},
    }


def test_secret_data_is_base64() -> None:
    assert decode(body("v1", "Secret", field(2, field(1, "k") + field(2, b"\xff\x00"))))["data"] == {
        "k": "/wA="
    }


@pytest.mark.parametrize(
    ("raw", "port"),
    [(field(1, 0) + field(2, 8080), 8080), (field(1, 1) + field(3, "http"), "http")],
)
def test_int_or_string_is_one_of_both(raw: bytes, port: int | str) -> None:
    service = decode(body("v1", "Service", field(2, field(1, field(3, 80) + field(4, raw)))))
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": port}]


def test_structs_that_json_inlines_stand_in_their_parent() -> None:
    get = field(2, field(1, "/ready") + field(2, field(1, 0) + field(2, 8080)))
    probe = field(1, get) + field(4, 5)
    pod = decode(body("v1", "Pod", field(2, field(2, field(1, "c") + field(11, probe)))))
    assert pod["spec"]["containers"] == [
        {"name": "c", "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}}
    ]


def test_times_are_rfc3339_and_the_zero_time_is_absent() -> None:
    meta = field(1, "a") + field(8, field(1, 1_700_000_000)) + field(9, b"")
    assert decode(body("v1", "Pod", field(1, meta)))["metadata"] == {
        "name": "a",
        "creationTimestamp": "2023-11-14T22:13:20Z",
    }


def test_negative_numbers_keep_their_sign() -> None:
    assert decode(body("apps/v1", "Deployment", field(2, field(1, -1))))["spec"] == {"replicas": -1}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"{}", "not Kubernetes protobuf"),
        (body("v1", "Teapot", b""), "Teapot in version 'v1' is not known as protobuf"),
        (body("v1", "Pod", b"\x0a\x7f"), "cut off"),
        (body("v1", "Pod", b"\x80"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_bad_request_that_says_why(data: bytes, what: str) -> None:
    with pytest.raises(StatusError, match=what) as refused:
        decode(data)
    assert refused.value.code == 400


def test_every_type_of_the_table_is_a_scalar_or_one_of_its_messages() -> None:
    known = json.loads(TABLE.read_text())
    scalars = {
        "string",
        "bytes",
        "bool",
        "int",
        "double",
        "Time",
        "MicroTime",
        "Quantity",
        "IntOrString",
        "Raw",
        "Strings",
    }
    kinds = {
        field.split(" ")[1].lstrip("[]{}^").rstrip("?")
        for message in known["messages"].values()
        for field in message.values()
    }
    assert kinds <= scalars | known["messages"].keys()
    assert set(known["kinds"].values()) <= known["messages"].keys()


def test_every_built_in_kind_may_come_as_protobuf() -> None:
    apart = {"CustomResourceDefinition", "APIService"}  # not in k8s.io/api, and no client sends them so
    served = {f"{row.api_version} {row.kind}" for row in table() if row.kind not in apart}
    assert served <= json.loads(TABLE.read_text())["kinds"].keys()
