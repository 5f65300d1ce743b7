"""What the store holds and tells: records, changes and the keys that name them."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

Object = dict[str, Any]


class Key(NamedTuple):
    """`prefix` is `<group>/<plural>`; `namespace` is empty for cluster-scoped objects."""

    prefix: str
    namespace: str
    name: str

    def text(self) -> str:
        return "|".join(self)

    @staticmethod
    def parse(text: str) -> "Key":
        prefix, namespace, name = text.split("|", 2)  # names of roles may have a bar
        return Key(prefix, namespace, name)


def encode(obj: Object) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


class Record:
    """One object at one revision. `obj` is shared and must not be changed; `copy()` may be."""

    __slots__ = ("_obj", "_superseded", "key", "raw", "revision")

    def __init__(self, key: Key, revision: int, raw: bytes) -> None:
        self.key = key
        self.revision = revision
        self.raw = raw
        self._obj: Object | None = None
        self._superseded = False

    @property
    def obj(self) -> Object:
        if self._superseded:
            return _parsed(self)
        if self._obj is None:
            self._obj = json.loads(self.raw)
        return self._obj

    def copy(self) -> Object:
        found: Object = json.loads(self.raw)
        return found

    def supersede(self) -> None:
        """From now on the parsed form is not kept: the record is history, read by watchers just after."""
        self._obj = None
        self._superseded = True


@lru_cache(maxsize=64)
def _parsed(record: Record) -> Object:
    return record.copy()


@dataclass(frozen=True, slots=True)
class Change:
    """One step of history: ADDED (no previous), MODIFIED, or DELETED (record = last state)."""

    type: str
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        return self.record.revision
