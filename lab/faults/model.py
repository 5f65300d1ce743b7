"""A fault as data: what is broken on purpose, and how that is written down. Pure.

A fault is desired state. It is recorded before it takes effect and forgotten only after its healing
was read back; `state` says how far it got, so an interrupted command leaves something to finish.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

from lab.topology.fault_words import FaultKind as FaultKind

FaultState = Literal["applying", "active", "healing"]


@dataclass(frozen=True)
class Target:
    """What a fault hits; unused parts are empty.

    `clusters` are the clusters hit; for a partition or an impairment `others` are the far end.
    `namespace` and `service` name an app's Deployment.
    """

    clusters: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    namespace: str = ""
    service: str = ""

    def __str__(self) -> str:
        text = ",".join(self.clusters)
        if self.others:
            text += f" | {','.join(self.others)}"
        if self.service:
            text += f"/{self.namespace}/{self.service}"
        return text


@dataclass(frozen=True)
class Fault:
    """One fault; `before` is what healing restores, in its actuator's words (JSON)."""

    id: str
    kind: FaultKind
    target: Target
    since: float
    state: FaultState = "applying"
    parameters: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)

    def at(self, state: FaultState, before: Mapping[str, Any] | None = None) -> Self:
        """The same fault one step on."""
        return replace(self, state=state, before=self.before if before is None else before)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        target = data["target"]
        hit = Target(
            tuple(target["clusters"]), tuple(target["others"]), target["namespace"], target["service"]
        )
        return cls(**{**data, "target": hit})


def next_id(kind: FaultKind, taken: set[str]) -> str:
    """`pause-1`, `pause-2`, …: short enough to type."""
    number = 1
    while f"{kind}-{number}" in taken:
        number += 1
    return f"{kind}-{number}"
