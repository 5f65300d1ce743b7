"""The built-in types as Kubernetes publishes them: what their fields are, and how lists and objects merge.

Strategic merge patch, server-side apply and the published OpenAPI schemas all read it. The table comes from
upstream's OpenAPI documents; `tests/pocket/upstream_types` makes it and explains its notation. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("upstream_types.json")


@dataclass(frozen=True)
class Field:
    """`shape` is a type's name, `[]shape`, `{}shape` or `-`; `keys` tell items of a list apart for
    server-side apply, `merge` is the key of strategic merge patch ("" for a list of scalars)."""

    shape: str = "-"
    keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False
    merge: str | None = None
    retain_keys: bool = False
    always: bool = False


PLAIN = Field()


@cache
def _table() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    return found


def types() -> Mapping[str, Mapping[str, str]]:
    return _table()["types"]


def type_of(group: str, version: str, kind: str) -> str:
    """The name of a kind's type; "-" for one that upstream does not have."""
    return str(_table()["kinds"].get(f"{group}/{version} {kind}", "-"))


def type_of_object(obj: Mapping[str, Any]) -> str:
    group, _, version = str(obj["apiVersion"]).rpartition("/")
    return type_of(group, version, str(obj["kind"]))


def field(shape: str, name: str) -> Field:
    """What a type, or a map, has under a name; for a type's own rules ask for ""."""
    if shape.startswith("{}"):
        return Field(shape[2:])
    text = types().get(shape, {}).get(name)
    return parse(text if name else f"{shape} {text or ''}") if text or not name else PLAIN


def key_default(shape: str, key: str) -> Any:
    return _table()["defaults"].get(shape, {}).get(key)


@lru_cache(maxsize=4096)
def parse(text: str) -> Field:
    """A shape with its rules, as the table writes them."""
    shape, *words = text.split()
    rules = dict(word.partition("=")[::2] for word in words)
    return Field(
        shape,
        keys=tuple(rules["map"].split(",")) if "map" in rules else (),
        is_set="set" in rules,
        atomic="atomic" in rules,
        merge=rules.get("merge"),
        retain_keys="retainKeys" in rules,
        always="always" in rules,
    )
