"""What a verb answers: data for programs, a view for people, and whether all was well.

Every operation that reports returns one; the command line prints either side of it. Operations never
print their answer themselves.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Answer:
    """`data` is JSON-ready; `view` is text or anything rich can draw; `ok` decides exit code 0 or 1."""

    data: Any
    view: "RenderableType"
    ok: bool = True
