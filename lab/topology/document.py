"""YAML text → plain data plus the line each part stands on.

Stricter than YAML asks for: a key that appears twice is a problem, not an overwrite. `load` calls it;
nothing else in the lab reads topology YAML.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lab.topology.problem import Path, Problem


@dataclass(frozen=True)
class Document:
    """Plain data, the line of each path in it, and the keys that stand twice."""

    data: Any
    lines: Mapping[Path, int]
    problems: tuple[Problem, ...]

    def line(self, path: Path) -> int | None:
        """The line of a path, or of the nearest enclosing part that stands in the file."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def parse(text: str) -> Document:
    """The document in `text`; when it is not YAML, the only problem says where and why."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        return Document(None, {}, (_syntax(error),))
    except yaml.YAMLError as error:
        return Document(None, {}, (Problem((), f"not YAML: {' '.join(str(error).split())}"),))
    except ValueError as error:  # a date or number that YAML knows and Python cannot hold
        return Document(None, {}, (Problem((), f"not YAML: {error}"),))
    if node is None:
        return Document(None, {}, (Problem((), "the file is empty", "a mapping with name and clusters"),))
    lines: dict[Path, int] = {}
    repeated: list[Problem] = []
    for path, line in _places(node, (), frozenset()):
        if path in lines and path:
            repeated.append(Problem(path, f"this key already stands on line {lines[path]}", line=line))
        lines.setdefault(path, line)
    return Document(data, lines, tuple(repeated))


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "cannot be read"
    column = f" (column {mark.column + 1})" if mark else ""
    return Problem((), f"not YAML: {what}{column}", line=mark.line + 1 if mark else None)


def _places(node: yaml.Node, path: Path, above: frozenset[int]) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    if id(node) in above:  # an anchor that contains itself
        return
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _places(item, (*path, index), above)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from list(_places(value, inner, above))[1:]
