"""How a probe or hook went."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Whether it went well, and what to tell if not."""

    ok: bool
    message: str = ""
