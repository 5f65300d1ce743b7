"""The JSONPath of printer columns and probes. Pure.

Fields, `[n]`, `[a:b]`, `[*]`, `['a.b']`, `..name` and filters.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


class PathError(ValueError):
    """A path that does not parse; says which part."""


Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\[\?\((?P<filter>(?:[^()'"]|'[^']*'|"[^"]*"|\([^()]*\))*)\)\]"""
    r"""|\[(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]"""
    r"""|\[(?P<index>\*|-?\d*(?::-?\d*){0,2}(?:,-?\d+)*)\]"""
    r"""|\.\.(?P<deep>\*|(?:\\.|[^.\[\]\\\s])+)"""
    r"""|\.?(?P<plain>\*|(?:\\.|[^.\[\]\\\s{}()])+)"""
)
_FILTER = re.compile(
    r"""\s*@(?P<left>[^=!<>\s]*)\s*(?:(?P<op>==|!=|>=|<=|>|<)\s*(?P<right>'[^']*'|"[^"]*"|[^'"\s]+))?\s*"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    ">": lambda a, b: bool(a > b),
    "<": lambda a, b: bool(a < b),
    ">=": lambda a, b: bool(a >= b),
    "<=": lambda a, b: bool(a <= b),
}


@lru_cache(maxsize=512)
def steps(path: str) -> tuple[Step, ...]:
    """The path, parsed. Raises PathError."""
    text = path.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = text.removeprefix("$")
    found: list[Step] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or token.end() == at:
            if text[at:] == ".":
                break
            raise PathError(f"unrecognized part {text[at:]!r} of the path {path!r}")
        found.append(_step(token))
        at = token.end()
    return tuple(found)


def find(obj: Any, path: str) -> list[Any]:
    """Every value that the path leads to; none where a part of it is missing."""
    values = [obj]
    for step in steps(path):
        values = [inner for value in values for inner in step(value)]
    return values


def _step(token: re.Match[str]) -> Step:
    if (text := token["filter"]) is not None:
        return _filter(text)
    if (text := token["quoted"]) is not None:
        return Field(re.sub(r"\\(.)", r"\1", text[1:-1]))
    if (text := token["index"]) is not None:
        return _every if text == "*" else Index(text)
    if (text := token["deep"]) is not None:
        return Deep(re.sub(r"\\(.)", r"\1", text))
    text = token["plain"]
    return _every if text == "*" else Field(re.sub(r"\\(.)", r"\1", text))


@dataclass(frozen=True)
class Field:
    name: str

    def __call__(self, value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and value.get(self.name) is not None:
            yield value[self.name]


@dataclass(frozen=True)
class Index:
    """`[2]`, `[-1]`, `[0,2]` or the slice `[1:3]`."""

    text: str

    def __call__(self, value: Any) -> Iterator[Any]:
        if not isinstance(value, list):
            return
        if ":" in self.text:
            yield from value[slice(*(int(part) if part else None for part in self.text.split(":")))]
            return
        for part in self.text.split(","):
            if part and -len(value) <= int(part) < len(value):
                yield value[int(part)]


@dataclass(frozen=True)
class Deep:
    """`..name`: the field at any depth."""

    name: str

    def __call__(self, value: Any) -> Iterator[Any]:
        inner = list(_every(value))
        yield from inner if self.name == "*" else Field(self.name)(value)
        for one in inner:
            yield from self(one)


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _filter(text: str) -> Step:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise PathError(f"unrecognized filter {text!r}")
    left, compare = found["left"], _COMPARE.get(found["op"] or "")
    steps(left)
    wanted = _literal(found["right"]) if compare else None

    def filtered(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            seen = find(item, left)
            if seen and (compare is None or _holds(compare, seen[0], wanted)):
                yield item

    return filtered


def _holds(compare: Callable[[Any, Any], bool], seen: Any, wanted: Any) -> bool:
    if isinstance(seen, bool) != isinstance(wanted, bool) or isinstance(seen, str) != isinstance(wanted, str):
        return False
    return compare(seen, wanted)


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text
