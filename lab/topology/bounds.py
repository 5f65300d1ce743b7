"""Bounds and patterns: what a figure or a value of a scenario is compared with.

`measures` uses them for what the file says, `lab.scenarios` for what was seen. Pure.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, StringConstraints

from lab.topology import grammar

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Bound:
    """A limit and on which side of it a figure must be: `>= 99.9%`, `<= 200ms`, `= 0`."""

    operator: str
    limit: float
    """A share of 1, seconds, or a plain number."""

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.operator](value, self.limit)

    def __str__(self) -> str:
        return f"{self.operator} {self.limit:g}"


@dataclass(frozen=True)
class Pattern:
    """Text that a value must fit; * stands for any text."""

    text: str

    def __str__(self) -> str:
        return self.text


def fits(wanted: Bound | Pattern, value: float | str) -> bool:
    """Whether a probed value is what was wanted; text is on no side of a limit."""
    if isinstance(wanted, Bound):
        return isinstance(value, float) and wanted.holds(value)
    return fnmatchcase(shown(value), wanted.text)


def shown(value: float | str) -> str:
    """A probed value as text: numbers without needless zeros."""
    return f"{value:.10g}" if isinstance(value, float) else value


def _bound(parse: Callable[[object], tuple[str, float]]) -> BeforeValidator:
    def read(value: object) -> Bound:
        return value if isinstance(value, Bound) else Bound(*parse(value))

    return BeforeValidator(read, json_schema_input_type=_BoundText)


def _value(value: object) -> Bound | Pattern:
    if isinstance(value, Bound | Pattern):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Bound("=", float(value))
    if isinstance(value, str) and value.startswith(tuple(_OPERATORS)):
        return Bound(*grammar.parse_number_bound(value))
    if isinstance(value, str):
        return Pattern(value)
    raise ValueError(f'{grammar.NUMBER_BOUND}, or text in quotes like "True" or "10.20.*"')


_BoundText = Annotated[str, StringConstraints(pattern=grammar.PATTERNS["bound"])]
SuccessBound = Annotated[
    Bound,
    _bound(grammar.parse_success_bound),
    PlainSerializer(lambda bound: f"{bound.operator} {grammar.format_percent(bound.limit)}", return_type=str),
]
LatencyBound = Annotated[
    Bound,
    _bound(grammar.parse_latency_bound),
    PlainSerializer(
        lambda bound: f"{bound.operator} {grammar.format_duration(bound.limit)}", return_type=str
    ),
]
NumberBound = Annotated[Bound, _bound(grammar.parse_number_bound), PlainSerializer(str, return_type=str)]
Value = Annotated[
    Bound | Pattern,
    BeforeValidator(_value, json_schema_input_type=str | float),
    PlainSerializer(str, return_type=str),
]
