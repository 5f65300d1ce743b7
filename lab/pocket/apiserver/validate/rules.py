"""Rules about single fields that many kinds share: required, immutable, of a set. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.pocket.apiserver.errors import Cause, invalid_value, required, unsupported_value

Object = dict[str, Any]

IMMUTABLE = "field is immutable"
EMPTY: tuple[Any, ...] = (None, "", {}, [])


@dataclass(frozen=True)
class Rules:
    """What holds for the fields of one kind; paths are dotted.

    `required` fields have the text that says why, `frozen` ones the text that forbids a change (or "" for
    the plain message), `allowed` ones their values.
    """

    required: Mapping[str, str] | None = None
    frozen: Mapping[str, str] | None = None
    allowed: Mapping[str, Sequence[str]] | None = None

    def check(self, obj: Object, old: Object | None) -> list[Cause]:
        causes = [required(p, why) for p, why in (self.required or {}).items() if field(obj, p) in EMPTY]
        for path, values in (self.allowed or {}).items():
            value = field(obj, path)
            if value not in EMPTY and value not in values:
                causes.append(unsupported_value(path, value, values))
        if old is not None:
            causes += _changed(obj, old, self.frozen or {})
        return causes


def field(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _changed(obj: Object, old: Object, frozen: Mapping[str, str]) -> Iterable[Cause]:
    for path, why in frozen.items():
        now, before = field(obj, path), field(old, path)
        if now == before or (now in EMPTY and before in EMPTY):
            continue
        yield forbidden_value(path, why) if why else invalid_value(path, now, IMMUTABLE)


def forbidden_value(path: str, why: str) -> Cause:
    return Cause(path, f"Forbidden: {why}", "FieldValueForbidden")


def duplicate(path: str, value: Any) -> Cause:
    return Cause(path, f"Duplicate value: {json.dumps(value)}", "FieldValueDuplicate")
