"""Kubernetes' protobuf bodies to the objects that JSON would have given.

client-go sends the kinds it knows so (kubectl create, create token, auth can-i; controller-runtime for
everything built in). Field numbers come from `protobuf_fields.json`, whose notation its generator
(`tests/pocket/protobuf_fields`) explains. Pure; answers stay JSON, which every such client accepts.
"""

import base64
import json
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lab.pocket.apiserver.errors import bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
TABLE = Path(__file__).with_name("protobuf_fields.json")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_OPTIONS = ("DeleteOptions",)
"""Kinds that clients send in the version of whatever they act on."""

Object = dict[str, Any]
Fields = Iterator[tuple[int, Any]]


def decode(body: bytes) -> Object:
    """The object in an enveloped body. Raises 400 for bytes that are none, or of a kind unknown here."""
    if not body.startswith(MAGIC):
        raise bad_request("the body is not Kubernetes protobuf: its first bytes must be 'k8s\\0'")
    try:
        envelope = dict(_fields(memoryview(body)[len(MAGIC) :]))
        about = {number: str(value, "utf-8") for number, value in _fields(envelope.get(1, memoryview(b"")))}
        version, kind = about.get(1, ""), about.get(2, "")
        message = _message_of(version, kind)
        return {"apiVersion": version, "kind": kind, **_message(message, envelope.get(2, memoryview(b"")))}
    except (
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
        OSError,
        RecursionError,
        struct.error,
    ) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    return table


def _message_of(version: str, kind: str) -> str:
    wanted = f"{'v1' if kind in _OPTIONS else version} {kind}"
    found = _table()["kinds"].get(wanted)
    if found is None:
        raise bad_request(
            f"{kind or 'an object'} in version {version!r} is not known as protobuf; send it as JSON"
        )
    return str(found)


def _message(name: str, data: memoryview) -> Object:
    """One message of the table as a JSON object."""
    known: dict[str, str] = _table()["messages"][name]
    result: Object = {}
    for number, raw in _fields(data):
        if field := known.get(str(number)):
            key, _, kind = field.partition(" ")
            _put(result, key, kind, raw)
    return result


def _put(result: Object, key: str, kind: str, raw: Any) -> None:
    optional, kind = kind.endswith("?"), kind.removesuffix("?")
    if kind.startswith("^"):
        result.update(_message(kind[1:], raw))
    elif kind.startswith("[]"):
        for item in _items(kind[2:], raw):
            result.setdefault(key, []).append(item)
    elif kind.startswith("{}"):
        entry = dict(_fields(raw))
        result.setdefault(key, {})[str(entry.get(1, b""), "utf-8")] = _value(kind[2:], entry.get(2, b""))
    else:
        value = _value(kind, raw)
        if value is not None and not (optional and value in ("", 0, False)):
            result[key] = value


def _items(kind: str, raw: Any) -> list[Any]:
    """The items that one occurrence of a repeated field holds: many when numbers are packed."""
    if kind == "int" and not isinstance(raw, int):
        return [_signed(number) for number in _varints(raw)]
    return [_value(kind, raw)]


def _value(kind: str, raw: Any) -> Any:
    if reader := _SCALARS.get(kind):
        return reader(raw)
    return _message(kind, memoryview(raw))


def _signed(raw: int) -> int:
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _text(raw: Any) -> str:
    return str(raw, "utf-8")


def _time(raw: Any) -> str | None:
    """RFC 3339 to the second; None for the zero time."""
    return _moment(raw, "seconds")


def _micro_time(raw: Any) -> str | None:
    return _moment(raw, "microseconds")


def _moment(raw: Any, precision: str) -> str | None:
    parts = dict(_fields(raw))
    if not parts:
        return None
    seconds, nanos = _signed(parts.get(1, 0)), parts.get(2, 0)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _int_or_string(raw: Any) -> int | str:
    parts = dict(_fields(raw))
    return _text(parts.get(3, b"")) if parts.get(1, 0) == 1 else _signed(parts.get(2, 0))


def _quantity(raw: Any) -> str:
    return _text(dict(_fields(raw)).get(1, b"0"))


def _raw_json(raw: Any) -> Any:
    return json.loads(bytes(dict(_fields(raw)).get(1, b"null")) or b"null")


def _strings(raw: Any) -> list[str]:
    return [_text(value) for _, value in _fields(raw)]


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "bool": bool,
    "int": _signed,
    "double": lambda raw: struct.unpack("<d", raw)[0],
    "Time": _time,
    "MicroTime": _micro_time,
    "Quantity": _quantity,
    "IntOrString": _int_or_string,
    "Raw": _raw_json,
    "Strings": _strings,
}


def _fields(data: memoryview | bytes) -> Fields:
    """Each (number, value) of a message: int for a varint, the bytes for all else."""
    at, data = 0, memoryview(data)
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} of field {number} is not used by Kubernetes")
        if at + size > len(data):
            raise ValueError(f"field {number} is cut off: {size} bytes announced, {len(data) - at} left")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value
