"""Kubernetes' CEL functions (lists, regex, quantity, URL, IP, CIDR) as the CEL runtime takes them.

Values of Kubernetes' own types travel through an expression as maps of one entry, `{"<type>": text}`,
because the runtime carries no foreign objects; they compare by that text, so it is made canonical.
A function that fails raises ValueError, which becomes the error of the expression.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from cel_expr_python import cel

from lab.kube.expressions import expression

from .addresses import ADDRESSES
from .quantities import QUANTITIES

_T = cel.Type
_STRINGS = _T.List(_T.STRING)


def _is_sorted(items: list[Any]) -> bool:
    return all(before <= after for before, after in pairwise(items))


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Callable[[list[Any]], Any]:
    def found(items: list[Any]) -> Any:
        if not items:
            raise ValueError(f"{name} called on empty list")
        return choose(items)

    return found


def _find(text: str, pattern: str) -> str:
    found = expression(pattern).search(text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in expression(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


_OWN: tuple[tuple[str, Any, list[Any], Callable[..., Any]], ...] = (
    ("isSorted", _T.BOOL, [_T.LIST], _is_sorted),
    ("sum", _T.DYN, [_T.LIST], sum),
    ("min", _T.DYN, [_T.LIST], _extreme(min, "min")),
    ("max", _T.DYN, [_T.LIST], _extreme(max, "max")),
    ("find", _T.STRING, [_T.STRING, _T.STRING], _find),
    ("findAll", _STRINGS, [_T.STRING, _T.STRING], _find_all),
    ("findAll", _STRINGS, [_T.STRING, _T.STRING, _T.INT], _find_all),
)


def functions() -> list[Any]:
    """All declarations; a name with several signatures is one function."""
    members = [(name, returns, takes, run, True) for name, returns, takes, run in _OWN]
    overloads: dict[str, list[Any]] = {}
    for name, returns, takes, run, member in (*members, *QUANTITIES, *ADDRESSES):
        kinds = "_".join(kind.name().lower() for kind in takes)
        identity = f"kubernetes_{name}_{'member' if member else 'global'}_{kinds}"
        found = cel.Overload(identity, returns, takes, member, run)
        overloads.setdefault(name, []).append(found)
    return [cel.FunctionDecl(name, found) for name, found in overloads.items()]
