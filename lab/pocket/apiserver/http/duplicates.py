"""Fields that a body names twice: the last one counts, and clients may ask to be told. Pure."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from lab.pocket.apiserver.errors import bad_request

from .body import JSON, YAML, media_type


class _Pairs(list[tuple[str, Any]]):
    """An object with its fields as they were written, repeated ones included."""


def duplicate_fields(body: bytes, content_type: str) -> list[str]:
    """Paths of repeated fields in a body that has been read before; of objects in JSON or YAML only."""
    try:
        value = _pairs(body, media_type(content_type))
        return list(_walk(value, "")) if isinstance(value, _Pairs) else []
    except RecursionError as error:
        raise bad_request("the body is nested too deeply") from error


def _pairs(body: bytes, kind: str) -> Any:
    if kind in YAML:
        return _of_node(yaml.compose(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    if (kind in JSON or kind.endswith("+json")) and _repeats(body):
        return json.loads(body, object_pairs_hook=_Pairs)
    return None


def _repeats(body: bytes) -> bool:
    """Whether any object in the JSON repeats a field: nearly none does, and to say so must be cheap."""
    found = False

    def count(pairs: list[tuple[str, Any]]) -> int:
        nonlocal found
        found = found or len({key for key, _ in pairs}) != len(pairs)
        return 0

    json.loads(body, object_pairs_hook=count)
    return found


def _of_node(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _Pairs((str(key.value), _of_node(value)) for key, value in node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_of_node(item) for item in node.value]
    return None


def _walk(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set()
        for key, inner in value:
            at = f"{path}.{key}" if path else key
            if key in seen:
                yield at
            seen.add(key)
            yield from _walk(inner, at)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{index}]")
