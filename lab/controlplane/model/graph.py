"""Derived values that are computed once and forgotten exactly when something they were read from changes.

Input cells are set from outside; a rule is a plain function `rule(reader, *key)` that reads cells and other
rules. Every pass asks for everything again and pays only for what changed. An equal result keeps the old
object, so callers may compare by identity. Not thread-safe.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
Cell = tuple[Hashable, ...]

SWEEP_EVERY = 512


@dataclass(eq=False, slots=True)
class _Result:
    """One rule's value for one key, and the results that were made from it."""

    value: Any = None
    fresh: bool = False
    used: int = 0
    users: set["_Result"] = field(default_factory=set)

    def spoil(self) -> None:
        """This must be computed anew, and so must everything that was made from it."""
        pending = [self]
        while pending:
            result = pending.pop()
            result.fresh = False
            pending += result.users
            result.users.clear()


class Graph:
    """The cells, the results of rules, and which result was made from which cell."""

    def __init__(self) -> None:
        self._cells: dict[Cell, Any] = {}
        self._users: dict[Cell, set[_Result]] = {}
        self._results: dict[tuple[Any, ...], _Result] = {}
        self._passes = 0
        self.revision = 0

    def set(self, cell: Cell, value: Any) -> None:
        """Give a cell a value (None removes it); an equal value changes nothing."""
        if self._cells.get(cell) == value:
            return
        self.revision += 1
        if value is None:
            self._cells.pop(cell, None)
        else:
            self._cells[cell] = value
        for result in self._users.pop(cell, ()):
            result.spoil()

    def peek(self, cell: Cell) -> Any:
        """A cell's value, outside of any rule."""
        return self._cells.get(cell)

    def read(self, cell: Cell, user: _Result) -> Any:
        """A cell's value, for a rule that is being run."""
        self._users.setdefault(cell, set()).add(user)
        return self._cells.get(cell)

    def get(self, rule: Callable[..., T], *key: Hashable) -> T:
        """The current value of a rule, from outside; counts as a pass."""
        self._passes += 1
        if self._passes % SWEEP_EVERY == 0:
            self._sweep()
        return cast(T, self.result(rule, key).value)

    def result(self, rule: Callable[..., Any], key: tuple[Hashable, ...]) -> _Result:
        result = self._results.get((rule, *key))
        if result is None:
            result = self._results[(rule, *key)] = _Result()
        result.used = self._passes
        if not result.fresh:
            value = rule(Reader(self, result), *key)
            if result.value != value:
                result.value = value
            result.fresh = True
        return result

    def _sweep(self) -> None:
        """Drop results that nobody asked for lately (of Services that are gone)."""
        limit = self._passes - SWEEP_EVERY
        stale = {key for key, result in self._results.items() if not result.fresh and result.used < limit}
        for key in stale:
            del self._results[key]
        for cell in [cell for cell in self._users if cell not in self._cells]:
            self._users[cell] = {result for result in self._users[cell] if result.fresh}


class Reader:
    """What one run of a rule may look at; everything it sees is remembered as a reason for the result."""

    def __init__(self, graph: Graph, user: _Result | None = None) -> None:
        self._graph = graph
        self._user = user or _Result()

    def cell(self, *cell: Hashable) -> Any:
        """An input cell's value, or None."""
        return self._graph.read(cell, self._user)

    def get(self, rule: Callable[..., T], *key: Hashable) -> T:
        """Another rule's value."""
        result = self._graph.result(rule, key)
        result.users.add(self._user)
        return cast(T, result.value)
