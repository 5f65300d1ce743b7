"""Strategic merge patch: $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList. Pure."""

from typing import Any

from lab.pocket.apiserver.errors import bad_request

from .keys import rule_for

_PATCH = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def strategic_merge(target: Any, patch: Any, parent: str = "") -> Any:
    """`target` with `patch` merged by merge keys; `parent` is the field that holds this object."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get(_PATCH)
    if directive == "delete":
        return None
    plain = {k: v for k, v in patch.items() if not k.startswith("$")}
    if directive == "replace":
        return plain
    if directive not in (None, "merge"):
        raise bad_request(f"Unrecognized patch directive {directive!r}; use delete, replace or merge")
    result = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        result = {k: v for k, v in result.items() if k in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key[len(_DELETE_FROM) :]
            result[field] = [item for item in result.get(field) or [] if item not in value]
    for field, value in plain.items():
        _merge_field(result, field, value, parent, patch.get(_ORDER + field))
    return result


def _merge_field(result: dict[str, Any], field: str, value: Any, parent: str, order: Any) -> None:
    if value is None:
        result.pop(field, None)
    elif isinstance(value, dict):
        merged = strategic_merge(result.get(field), value, field)
        if merged is None:
            result.pop(field, None)
        else:
            result[field] = merged
    elif isinstance(value, list):
        result[field] = _merge_list(result.get(field), value, parent, field, order)
    else:
        result[field] = value


def _merge_list(target: Any, patch: list[Any], parent: str, field: str, order: Any) -> list[Any]:
    rule = rule_for(parent, field)
    current = list(target) if isinstance(target, list) else []
    if rule is None:
        return [item for item in patch if not (isinstance(item, dict) and _PATCH in item)]
    if not rule.patch:
        return _ordered_scalars(current + [item for item in patch if item not in current], order)
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [i for i in patch if not (isinstance(i, dict) and _PATCH in i)]
    for item in patch:
        current = _merge_item(current, item, rule.patch, field)
    return _ordered_items(current, order, rule.patch)


def _merge_item(current: list[Any], item: Any, key: str, field: str) -> list[Any]:
    if not isinstance(item, dict) or key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {key}")
    at = next((i for i, e in enumerate(current) if isinstance(e, dict) and e.get(key) == item[key]), None)
    if item.get(_PATCH) == "delete":
        return [e for i, e in enumerate(current) if i != at]
    merged = strategic_merge(None if at is None else current[at], item, field)
    if at is None:
        return [*current, merged]
    return [merged if i == at else e for i, e in enumerate(current)]


def _ordered_scalars(items: list[Any], order: Any) -> list[Any]:
    if not isinstance(order, list):
        return items
    return [i for i in order if i in items] + [i for i in items if i not in order]


def _ordered_items(items: list[Any], order: Any, key: str) -> list[Any]:
    """Items named in `order` first come in that order; server-only items keep their place at the end."""
    if not isinstance(order, list):
        return items
    rank = {entry.get(key): i for i, entry in enumerate(order) if isinstance(entry, dict)}
    return sorted(items, key=lambda item: rank.get(item.get(key), len(rank)))
