"""Which groups of figures there are, and which of them a run measures. Pure.

A group is measured as a whole: its rows come from one lab that is brought up once.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from lab.base.errors import UsageError
from lab.ops.bench.model import Figure, Row
from lab.ops.bench.workbench import Workbench
from lab.topology.problem import did_you_mean

Measure = Callable[[Workbench], AsyncIterator[Row]]


@dataclass(frozen=True)
class Group:
    """Figures that are measured together; `on_request` ones only when a row is asked for by name."""

    name: str
    figures: tuple[Figure, ...]
    measure: Measure
    on_request: bool = False


def chosen(groups: Sequence[Group], only: str) -> tuple[Group, ...]:
    """The groups with a row whose name contains `only`; without a word those that every run measures.

    Raises UsageError when there is none.
    """
    if not only:
        return tuple(group for group in groups if not group.on_request)
    found = tuple(group for group in groups if any(wanted(figure, only) for figure in group.figures))
    if not found:
        names = [figure.name for group in groups for figure in group.figures]
        raise UsageError(
            f'no row has "{only}" in its name', remedy=did_you_mean(only, names) or "; ".join(names)
        )
    return found


def wanted(figure: Figure, only: str) -> bool:
    return only.lower() in figure.name.lower()
