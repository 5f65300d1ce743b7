"""Laying an applied configuration over an object, and taking paths out of one. Pure."""

import json
from typing import Any

from .fields import ABSENT, EmptiedList, Paths, Untypable, element, indexed, is_associative, to_tree
from .typing import Typing


def check_typed(config: Any, typing: Typing, path: str = "") -> None:
    """Raises Untypable for a list whose items cannot be told apart; live objects may have such lists."""
    if isinstance(config, dict):
        for name, inner in config.items():
            check_typed(inner, typing.field(name), f"{path}.{name}")
    elif isinstance(config, list) and (typing.keys or typing.is_set):
        if not is_associative(config, typing):
            kind = (
                "keys may not have non-map elements" if typing.keys else "no keys must have scalar elements"
            )
            raise Untypable(f"{path}: associative list with {kind}")
        for name, items in indexed(config, typing).items():
            if name == "k:{}":
                listed = " ".join(f'"{key}"' for key in typing.keys)
                raise Untypable(
                    f"{path}: associative list with keys has an element that omits all key fields [{listed}] "
                    "(and doesn't have default values for any key fields)"
                )
            if len(items) > 1:
                raise Untypable(f"{path}: duplicate entries for key {shown(name)}")
            check_typed(items[0], typing.item(), f"{path}{shown(name)}")


def shown(step: str) -> str:
    """A path element as people write it: `.image`, `[name="a"]`, `[="x"]`."""
    kind, text = step[:2], step[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "v:":
        return f"[={text}]"
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(text).items()) + "]"


def merge(live: Any, wanted: Any, typing: Typing) -> Any:
    """`live` with `wanted` laid over it, keyed lists item by item."""
    if wanted is ABSENT:
        return live
    if live is ABSENT:
        live = None
    if not live and not wanted:
        return wanted
    if _maps(live, wanted) and not typing.is_atomic:
        found = dict(live or {})
        for name, value in (wanted or {}).items():
            found[name] = merge(found.get(name, ABSENT), value, typing.field(name))
        return found
    if _lists(live, wanted) and (typing.keys or typing.is_set) and is_associative(wanted or [], typing):
        return (
            _merge_lists(live or [], wanted or [], typing) if is_associative(live or [], typing) else wanted
        )
    return wanted


def _maps(*values: Any) -> bool:
    return all(value is None or isinstance(value, dict) for value in values)


def _lists(*values: Any) -> bool:
    return all(value is None or isinstance(value, list) for value in values)


def _merge_lists(live: list[Any], wanted: list[Any], typing: Typing) -> list[Any]:
    """Shared items come in the order of the configuration, others keep their place among them."""
    theirs = {element(item, typing): item for item in wanted}
    shared = [name for name in theirs if name in indexed(live, typing)]
    result: list[Any] = []
    done: set[str] = set()
    queue = list(theirs)

    def take(name: str) -> None:
        done.add(name)
        mine = [item for item in live if element(item, typing) == name]
        result.append(merge(mine[0] if len(mine) == 1 else ABSENT, theirs[name], typing.item()))

    for item in live:
        name = element(item, typing)
        if name not in theirs:
            result.append(item)
        elif name not in done and shared and name == shared[0]:
            while queue and queue[0] != name:
                take(queue.pop(0))
            take(queue.pop(0))
            shared.pop(0)
            while shared and shared[0] in done:
                shared.pop(0)
    for name in queue:
        take(name)
    return result


def remove(value: dict[str, Any], paths: Paths, typing: Typing) -> dict[str, Any]:
    """`value` without what `paths` name; maps and lists that are empty by that stay as such."""
    found: dict[str, Any] = _removed(value, to_tree(paths), typing)
    return found


def _removed(value: Any, tree: dict[str, Any], typing: Typing) -> Any:
    if isinstance(value, dict) and value and not typing.is_atomic:
        found: dict[str, Any] = {}
        for name, inner in value.items():
            below = tree.get(f"f:{name}")
            kept = inner if below is None else _left(inner, below, typing.field(name))
            if kept is not ABSENT:
                found[name] = kept
        return found
    if isinstance(value, list) and value and (typing.keys or typing.is_set) and is_associative(value, typing):
        items: list[Any] = []
        for item in value:
            below = tree.get(element(item, typing))
            kept = item if below is None else _left(item, below, typing.item())
            if kept is not ABSENT:
                items.append(kept)
        return items or EmptiedList()
    return value


def _left(value: Any, below: dict[str, Any], typing: Typing) -> Any:
    """What stays of a value that is named itself (no children, or `.`), or has named parts."""
    return ABSENT if not below or "." in below else _removed(value, below, typing)
