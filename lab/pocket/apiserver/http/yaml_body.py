"""YAML of strangers to plain values: checked for depth and for what aliases multiply before it is built.

Both matter: the C composer recurses until the stack ends, and a document of a few hundred bytes can stand
for gigabytes. body.py calls this.
"""

from typing import Any

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NODES = 200_000
"""Values in a document, those behind an alias counted each time it is used."""
_TIME = "tag:yaml.org,2002:timestamp"


class _Loader(_BASE):  # type: ignore[misc]
    """As Kubernetes reads YAML: times are text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != _TIME]
        for first, found in _BASE.yaml_implicit_resolvers.items()
    }


def load(body: bytes, depth: int) -> Any:
    """The one document in `body`. Raises ValueError for what is no YAML, too deep or too much."""
    try:
        _check_depth(body, depth)
        loader = _Loader(body)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            size, height = _measure(node, {})
            if size > NODES or height > depth:
                raise ValueError("document contains excessive aliasing")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _check_depth(body: bytes, depth: int) -> None:
    level = 0
    for event in yaml.parse(body, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > depth:
                raise ValueError(f"document is nested deeper than {depth} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _measure(node: yaml.Node, known: dict[yaml.Node, tuple[int, int]]) -> tuple[int, int]:
    """Values and levels of a node with its aliases written out. Raises ValueError for one inside itself."""
    if node in known:
        if known[node] == (0, 0):
            raise ValueError("an alias refers to a value that contains it")
        return known[node]
    known[node] = (0, 0)
    parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    inner = [_measure(part, known) for part in parts] if not isinstance(node, yaml.ScalarNode) else []
    known[node] = (1 + sum(size for size, _ in inner), 1 + max((height for _, height in inner), default=0))
    return known[node]
