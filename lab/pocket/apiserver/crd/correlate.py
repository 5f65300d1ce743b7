"""Which old value a new one replaces: fields by name, items of keyed lists by their keys. Pure."""

import json
from typing import Any, Final


class Absent:
    """Marks that there is no old value to compare with; null would be one."""


ABSENT: Final = Absent()


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: unlike in Python, 1 is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict | list) and isinstance(other, dict | list):
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return bool(one == other)


def child(old: Any, name_or_item: Any, schema: dict[str, Any] | None = None) -> Any:
    """The old field of that name, or the old item with the same keys where `schema` is of a keyed list."""
    if isinstance(old, dict) and schema is None:
        return old.get(name_or_item, ABSENT)
    if schema is None or not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map":
        return ABSENT
    if not isinstance(name_or_item, dict):
        return ABSENT
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    wanted = [name_or_item.get(key) for key in keys]
    for item in old:
        if isinstance(item, dict) and [item.get(key) for key in keys] == wanted:
            return item
    return ABSENT
