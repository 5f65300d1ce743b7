"""Sets of field paths: those an object has, those in which two differ, and their form in managedFields.

A path is a tuple of elements: `f:<field>`, `k:<keys as JSON>` (item of a keyed list) and `v:<value>` (item of
a set). The rules are those of upstream's structured-merge-diff. Pure.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from .typing import Typing

Path = tuple[str, ...]
Paths = set[Path]


class Absent:
    """Marks a value that is not there; null is one that is."""


ABSENT: Final = Absent()


class EmptiedList(list[Any]):
    """What removing every item leaves of a list: unlike one that was always empty, it has a path."""


class Untypable(ValueError):
    """A configuration whose lists cannot be told apart: duplicates, or items without their keys."""


@dataclass
class Difference:
    added: Paths = field(default_factory=set)
    modified: Paths = field(default_factory=set)
    removed: Paths = field(default_factory=set)

    def without(self, prefixes: Iterable[Path]) -> "Difference":
        kept = tuple(prefixes)
        return Difference(*(outside(paths, kept) for paths in (self.added, self.modified, self.removed)))


def outside(paths: Paths, prefixes: Iterable[Path]) -> Paths:
    """The paths that are under none of `prefixes`."""
    return {path for path in paths if not any(path[: len(prefix)] == prefix for prefix in prefixes)}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def is_associative(values: list[Any], typing: Typing) -> bool:
    """Whether the items of a list are owned one by one."""
    if typing.keys:
        return all(isinstance(item, dict) for item in values)
    return typing.is_set and not any(isinstance(item, dict | list) or item is None for item in values)


def element(item: Any, typing: Typing) -> str:
    """The path element of an item of a keyed list or a set."""
    if not typing.keys:
        return f"v:{compact(item)}"
    found = {key: item.get(key, typing.key_default(key)) for key in typing.keys}
    return f"k:{compact({k: v for k, v in found.items() if v is not None})}"


def indexed(values: list[Any], typing: Typing) -> dict[str, list[Any]]:
    """Items by their element, in order; an element that several items have lists them all."""
    found: dict[str, list[Any]] = {}
    for item in values:
        found.setdefault(element(item, typing), []).append(item)
    return found


def field_set(value: Any, typing: Typing) -> Paths:
    """Every path that whoever sets `value` owns."""
    return set(_owned(value, typing, ()))


def _owned(value: Any, typing: Typing, path: Path) -> Iterator[Path]:
    if isinstance(value, dict) and not (typing.is_atomic and path):
        for name, inner in value.items():
            at = (*path, f"f:{name}")
            yield from _owned(inner, typing.field(name), at)
            if inner is None or inner == {} or isinstance(inner, EmptiedList) or not typing.has_field(name):
                yield at
    elif isinstance(value, list) and is_associative(value, typing) and (typing.keys or typing.is_set):
        for name, items in indexed(value, typing).items():
            if len(items) == 1:
                yield from _owned(items[0], typing.item(), (*path, name))
            yield (*path, name)
    else:
        yield path


def compare(old: Any, new: Any, typing: Typing) -> Difference:
    """What became of every path between two states of an object."""
    found = Difference()
    _compare(old, new, typing, (), found)
    return found


def _compare(old: Any, new: Any, typing: Typing, path: Path, out: Difference) -> None:
    if old is not ABSENT and new is not ABSENT and _equal(old, new):
        return
    present = [value for value in (old, new) if isinstance(value, dict | list) and value]
    if present and _are_maps((old, new)) and not typing.is_atomic:
        _compare_maps(old, new, typing, path, out)
    elif present and (typing.keys or typing.is_set) and _are_lists((old, new), typing):
        _compare_lists(old, new, typing, path, out)
    elif old is not ABSENT and new is not ABSENT:
        out.modified.add(path)
    if old is ABSENT:
        out.added.add(path)
    elif new is ABSENT:
        out.removed.add(path)


def _are_maps(values: Iterable[Any]) -> bool:
    return all(value is ABSENT or value is None or isinstance(value, dict) for value in values)


def _are_lists(values: Iterable[Any], typing: Typing) -> bool:
    return all(
        value is ABSENT or value is None or (isinstance(value, list) and is_associative(value, typing))
        for value in values
    )


def _equal(old: Any, new: Any) -> bool:
    return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def _compare_maps(old: Any, new: Any, typing: Typing, path: Path, out: Difference) -> None:
    before, after = _mapping(old), _mapping(new)
    for name in before.keys() | after.keys():
        inner = typing.field(name)
        left, right = before.get(name, ABSENT), after.get(name, ABSENT)
        if inner.always and isinstance(old, dict) and left is ABSENT:
            left = {}
        if inner.always and isinstance(new, dict) and right is ABSENT:
            right = {}
        _compare(left, right, inner, (*path, f"f:{name}"), out)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _compare_lists(old: Any, new: Any, typing: Typing, path: Path, out: Difference) -> None:
    before = indexed(old, typing) if isinstance(old, list) else {}
    after = indexed(new, typing) if isinstance(new, list) else {}
    for name in {**before, **after}:
        at = (*path, name)
        left, right = before.get(name, []), after.get(name, [])
        if len(left) > 1 or len(right) > 1:  # duplicates are one value
            if not left or not right:
                (out.removed if left else out.added).add(at)
            elif left != right:
                out.modified.add(at)
            continue
        _compare(left[0] if left else ABSENT, right[0] if right else ABSENT, typing.item(), at, out)


def with_parents(paths: Iterable[Path], typing: Typing) -> Paths:
    """The paths, and the struct fields on the way to them: who owns `spec.replicas` also holds `spec`."""
    found: Paths = set()
    for path in paths:
        found.add(path)
        at = typing
        for index, step in enumerate(path[:-1]):
            if step.startswith("f:"):
                if at.has_field(step[2:]):
                    found.add(path[: index + 1])
                at = at.field(step[2:])
            else:
                at = at.item()
    return found


def to_tree(paths: Iterable[Path]) -> dict[str, Any]:
    """Paths in the nested fieldsV1 form: `.` says that a path with others below it is owned itself."""
    root: dict[str, Any] = {}
    members = sorted(paths)
    for path in members:
        node = root
        for step in path:
            node = node.setdefault(step, {})
    for path in members:
        node = root
        for step in path:
            node = node[step]
        if node:
            node["."] = {}
    return _sorted(root)


def _sorted(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: _sorted(tree[name]) for name in sorted(tree)}


def is_tree(tree: Any) -> bool:
    """Whether a client's fieldsV1 has the nested form, with keys and values that are JSON."""
    if not isinstance(tree, dict):
        return False
    return all((name == "." or _is_element(name)) and is_tree(inner) for name, inner in tree.items())


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


def from_tree(tree: dict[str, Any]) -> Paths:
    return set(_paths(tree, ()))


def _paths(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    for name, inner in tree.items():
        if name == ".":
            yield path
        elif isinstance(inner, dict) and inner:
            yield from _paths(inner, (*path, name))
        else:
            yield (*path, name)
