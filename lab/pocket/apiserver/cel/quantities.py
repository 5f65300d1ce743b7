"""quantity(…) and what can be done with one. Pure."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from cel_expr_python import cel

from lab.kube.quantity import quantity

_T = cel.Type
_INT64 = 1 << 63


def _make(text: str) -> dict[str, str]:
    try:
        return _of(quantity(text))
    except InvalidOperation as error:
        raise ValueError(f"unable to parse quantity {text!r}") from error


def _of(value: Decimal) -> dict[str, str]:
    return {"quantity": format(value.normalize(), "f")}


def _value(found: dict[str, Any]) -> Decimal:
    if "quantity" not in found:
        raise ValueError("no such overload: the value is not a quantity")
    return Decimal(str(found["quantity"]))


def _is(text: str) -> bool:
    try:
        quantity(text)
    except ValueError:
        return False
    return True


def _is_integer(found: dict[str, Any]) -> bool:
    value = _value(found)
    return value == value.to_integral_value() and -_INT64 <= value < _INT64


def _as_integer(found: dict[str, Any]) -> int:
    if not _is_integer(found):
        raise ValueError("cannot convert value to integer")
    return int(_value(found))


def _sign(value: Decimal) -> int:
    return (value > 0) - (value < 0)


Row = tuple[str, Any, list[Any], Callable[..., Any], bool]
"""A function: name, result, parameters, implementation, and whether the first parameter is its receiver."""

QUANTITIES: tuple[Row, ...] = (
    ("quantity", _T.MAP, [_T.STRING], _make, False),
    ("isQuantity", _T.BOOL, [_T.STRING], _is, False),
    ("sign", _T.INT, [_T.MAP], lambda a: _sign(_value(a)), True),
    ("isInteger", _T.BOOL, [_T.MAP], _is_integer, True),
    ("asInteger", _T.INT, [_T.MAP], _as_integer, True),
    ("asApproximateFloat", _T.DOUBLE, [_T.MAP], lambda a: float(_value(a)), True),
    ("isGreaterThan", _T.BOOL, [_T.MAP, _T.MAP], lambda a, b: _value(a) > _value(b), True),
    ("isLessThan", _T.BOOL, [_T.MAP, _T.MAP], lambda a, b: _value(a) < _value(b), True),
    ("compareTo", _T.INT, [_T.MAP, _T.MAP], lambda a, b: _sign(_value(a) - _value(b)), True),
    ("add", _T.MAP, [_T.MAP, _T.MAP], lambda a, b: _of(_value(a) + _value(b)), True),
    ("add", _T.MAP, [_T.MAP, _T.INT], lambda a, b: _of(_value(a) + b), True),
    ("sub", _T.MAP, [_T.MAP, _T.MAP], lambda a, b: _of(_value(a) - _value(b)), True),
    ("sub", _T.MAP, [_T.MAP, _T.INT], lambda a, b: _of(_value(a) - b), True),
)
