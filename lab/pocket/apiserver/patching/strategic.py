"""Strategic merge patch: $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList. Pure."""

from collections.abc import Mapping
from typing import Any

from lab.pocket.apiserver.errors import bad_request

from . import upstream
from .fields import ABSENT, compact

_PATCH = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"
_DIRECTIVES = ("delete", "replace", "merge")


def strategic_merge(target: Any, patch: Mapping[str, Any], shape: str) -> Any:
    """`target` with `patch` merged in by the rules of the type `shape`; ABSENT where the patch deletes it."""
    directive = patch.get(_PATCH)
    if directive not in (None, *_DIRECTIVES):
        raise bad_request(f"Unrecognized patch directive {directive!r}; use delete, replace or merge")
    plain = {k: v for k, v in patch.items() if not k.startswith("$")}
    if directive == "delete":
        return ABSENT
    if directive == "replace":
        return plain
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        kept = _listed(patch, _RETAIN)
        result = {k: v for k, v in result.items() if k in kept}
    for key in patch:
        if key.startswith(_DELETE_FROM) and isinstance(result.get(name := key[len(_DELETE_FROM) :]), list):
            result[name] = [item for item in result[name] if item not in _listed(patch, key)]
    for name, value in plain.items():
        merged = _field(result.get(name), value, upstream.field(shape, name), patch.get(_ORDER + name))
        if merged is ABSENT:
            result.pop(name, None)
        else:
            result[name] = merged
    for key in patch:
        if key.startswith(_ORDER) and (name := key[len(_ORDER) :]) not in plain and name in result:
            rule = upstream.field(shape, name)
            result[name] = _ordered(result[name], result[name], _listed(patch, key), rule)
    return result


def _listed(patch: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(patch[key], list):
        raise bad_request(f"{key} must be a list, found {patch[key]!r}")
    found: list[Any] = patch[key]
    return found


def _field(target: Any, value: Any, rule: upstream.Field, order: Any) -> Any:
    if value is None:
        return ABSENT
    if isinstance(value, dict):
        return strategic_merge(target, value, rule.shape)
    if isinstance(value, list) and rule.merge is not None:
        current = list(target) if isinstance(target, list) else []
        merged = _scalars(current, value) if not rule.merge else _items(current, value, rule)
        return _ordered(merged, current, order, rule)
    if isinstance(value, list):
        return [item for item in value if not (isinstance(item, dict) and _PATCH in item)]
    return value


def _scalars(current: list[Any], patch: list[Any]) -> list[Any]:
    return current + [item for item in patch if item not in current]


def _items(current: list[Any], patch: list[Any], rule: upstream.Field) -> list[Any]:
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and _PATCH in item)]
    for item in patch:
        current = _merge_item(current, item, rule)
    return current


def _merge_item(current: list[Any], item: Any, rule: upstream.Field) -> list[Any]:
    key = rule.merge or ""
    if not isinstance(item, dict) or key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {key}")
    if item.get(_PATCH) == "delete":
        return [e for e in current if not (isinstance(e, dict) and e.get(key) == item[key])]
    at = next((i for i, e in enumerate(current) if isinstance(e, dict) and e.get(key) == item[key]), None)
    merged = strategic_merge(None if at is None else current[at], item, rule.shape.removeprefix("[]"))
    if at is None:
        return [*current, merged]
    return [merged if i == at else e for i, e in enumerate(current)]


def _ordered(items: list[Any], before: list[Any], order: Any, rule: upstream.Field) -> list[Any]:
    """Items that the patch orders come in its order; of what only the server has, each comes before the
    first of them that it stood `before`."""
    if not isinstance(order, list):
        return items

    def name(item: Any) -> str:
        return compact(item.get(rule.merge) if isinstance(item, dict) and rule.merge else item)

    rank = {name(entry): index for index, entry in reversed(list(enumerate(order)))}
    place = {name(item): index for index, item in enumerate(before)}
    theirs = [item for item in items if name(item) not in rank]
    ours = sorted((item for item in items if name(item) in rank), key=lambda item: rank[name(item)])
    result: list[Any] = []
    while theirs and ours:
        first, second = place.get(name(theirs[0])), place.get(name(ours[0]))
        server_first = first is not None and second is not None and first < second
        result.append((theirs if server_first else ours).pop(0))
    return [*result, *theirs, *ours]
