"""Sets of field paths, as managedFields keeps them (fieldsV1), and merging by them. Pure.

A path is a tuple of elements: `f:<field>`, `k:<keys as JSON>` (item of a keyed list), `v:<value>`
(item of a set) and a last `.` for "the item itself".
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from .typing import MAP, SET, Typing

Path = tuple[str, ...]
Leaves = dict[Path, Any]
SELF = "."

_SERVER_METADATA = (
    "name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation", "managedFields",
    "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
_IGNORED = frozenset(
    [("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in _SERVER_METADATA)]
)


def leaves(obj: Any, typing: Typing) -> Leaves:
    """Every path that can have an owner, with its value."""
    return {
        path: value
        for path, value in _walk(obj, typing, ())
        if path[:2] not in _IGNORED and path[:1] not in _IGNORED and path != ("f:metadata",)
    }


def _walk(value: Any, typing: Typing, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and not (typing.is_atomic() and path):
        for name, inner in value.items():
            yield from _walk(inner, typing.field(name), (*path, f"f:{name}"))
        return
    if isinstance(value, list) and value:
        kind = typing.list_type()
        if kind.kind == SET:
            for item in value:
                yield (*path, f"v:{_compact(item)}"), item
            return
        if kind.kind == MAP and all(isinstance(item, dict) for item in value):
            for item in value:
                at = (*path, item_key(item, typing))
                yield (*at, SELF), None
                yield from _walk_item(item, typing, at)
            return
    yield path, value


def _walk_item(item: dict[str, Any], typing: Typing, at: Path) -> Iterator[tuple[Path, Any]]:
    inner = typing.item()
    for name, value in item.items():
        yield from _walk(value, inner.field(name), (*at, f"f:{name}"))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def item_key(item: dict[str, Any], typing: Typing) -> str:
    keys = typing.list_type().keys
    found = {key: item.get(key, typing.key_default(key)) for key in keys}
    return f"k:{_compact({k: v for k, v in found.items() if v is not None})}"


def to_tree(paths: Iterable[Path]) -> dict[str, Any]:
    """Paths as the nested fieldsV1 form."""
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    return root


def is_tree(tree: Any) -> bool:
    """Whether a client's fieldsV1 has the nested form, with keys and values that are JSON."""
    if not isinstance(tree, dict):
        return False
    return all((name == SELF or _is_element(name)) and is_tree(inner) for name, inner in tree.items())


def _is_element(text: str) -> bool:
    head, content = text[:2], text[2:]
    if head == "f:":
        return True
    if head not in ("k:", "v:", "i:"):
        return False
    try:
        return head != "k:" or isinstance(json.loads(content), dict)
    except ValueError:
        return False


def from_tree(tree: dict[str, Any]) -> set[Path]:
    return set(_paths(tree, ()))


def _paths(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    for element, inner in tree.items():
        if isinstance(inner, dict) and inner:
            yield from _paths(inner, (*path, element))
        else:
            yield (*path, element)


def merge(live: Any, wanted: Any, typing: Typing) -> Any:
    """`live` with `wanted` laid over it, keyed lists item by item."""
    if isinstance(live, dict) and isinstance(wanted, dict) and not typing.is_atomic():
        result = dict(live)
        for name, value in wanted.items():
            result[name] = merge(live.get(name), value, typing.field(name))
        return result
    if isinstance(live, list) and isinstance(wanted, list):
        kind = typing.list_type()
        if kind.kind == SET:
            return [*live, *(item for item in wanted if item not in live)]
        if kind.kind == MAP:
            return _merge_items(live, wanted, typing)
    return wanted


def _merge_items(live: list[Any], wanted: list[Any], typing: Typing) -> list[Any]:
    found = {item_key(item, typing): item for item in live if isinstance(item, dict)}
    inner = typing.item()
    for item in wanted:
        key = item_key(item, typing)
        current = found.get(key)
        if current is None:
            found[key] = item
        else:
            found[key] = {
                **current,
                **{name: merge(current.get(name), value, inner.field(name)) for name, value in item.items()},
            }
    return list(found.values())


def remove(value: Any, path: Path, typing: Typing) -> Any:
    """`value` without what `path` names; maps and lists that become empty go too."""
    if not path:
        return None
    head, rest = path[0], path[1:]
    if head.startswith("f:") and isinstance(value, dict):
        name = head[2:]
        if name not in value:
            return value
        inner = remove(value[name], rest, typing.field(name)) if rest else None
        return _put(value, name, inner)
    if isinstance(value, list) and head.startswith("v:"):
        return [item for item in value if f"v:{_compact(item)}" != head]
    if isinstance(value, list) and head.startswith("k:"):
        return _remove_item(value, head, rest, typing)
    return value


def _put(value: dict[str, Any], name: str, inner: Any) -> dict[str, Any]:
    if inner in (None, {}, []):
        return {k: v for k, v in value.items() if k != name}
    return {**value, name: inner}


def _remove_item(items: list[Any], key: str, rest: Path, typing: Typing) -> list[Any]:
    result = []
    for item in items:
        if not isinstance(item, dict) or item_key(item, typing) != key:
            result.append(item)
        elif rest != (SELF,):
            name = rest[0][2:]
            inner = typing.item().field(name)
            result.append(_put(item, name, remove(item.get(name), rest[1:], inner) if rest[1:] else None))
    return result
