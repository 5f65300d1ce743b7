"""What a kind of fault must know to be made, healed and read back. The catalogue names one for each kind.

Every method may be called again after it was cut short anywhere, also by the death of the command, and must
then end in the same state. `others` are the faults that stand meanwhile, oldest first and never including
the one in question: what they hold must be left as they want it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lab.faults.model import Fault
from lab.faults.site import Site

Others = Sequence[Fault]


class Actuator(Protocol):
    """Carries out one kind of fault, or several that work alike."""

    async def before(self, site: Site, fault: Fault, others: Others) -> Mapping[str, Any]:
        """What healing will restore (JSON), read before anything is changed; it is put on disk first.

        Where a standing fault has changed it already, that fault's own `before` is the answer. Raises
        UsageError where there is nothing that the fault could hit.
        """

    async def apply(self, site: Site, fault: Fault, others: Others) -> None:
        """Bring the fault about; returns once it was read back. Raises LabError if it does not hold."""

    async def clear(self, site: Site, fault: Fault, others: Others) -> None:
        """Undo what no other fault holds; returns once that was read back. Raises LabError if it stays."""

    async def actual(self, site: Site, fault: Fault, others: Others) -> bool | None:
        """Whether the fault is really in force; None when nobody can say now."""
