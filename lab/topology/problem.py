"""One thing that is wrong in a topology file, as a value.

`shape` and `check` make problems, `load` gathers them, `TopologyError` carries them to the user.
A problem names its place in the file, what stands there, and what may stand there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place. `found` says what stands there, `allowed` what may."""

    path: Path
    found: str
    allowed: str = ""
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        where = f"{dotted(self.path)}: " if self.path else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{where}{self.found}{allowed}{hint}"


def dotted(path: Path) -> str:
    """The path as users write it: `clusters.east.pods`, `links[0].modes`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "network"?` for a near miss, else nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def listed(words: Iterable[str]) -> str:
    """The allowed words, in the order given."""
    return ", ".join(words) or "none"
