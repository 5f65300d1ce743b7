"""A fault as data: what is broken on purpose, and how that is written down. Pure.

A fault is desired state. It is recorded before it takes effect and forgotten only after its healing
was read back; `state` says how far it got, so an interrupted command leaves something to finish. A fault
with a lease ends by itself: `expires` is when, whatever became of the command that made it.
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
class Tenure:
    """Who makes a fault, and for how many seconds; None until it is healed."""

    owner: str
    seconds: float | None = None

    def expires(self, now: float) -> float | None:
        """The end of the lease as the ledger keeps it."""
        return None if self.seconds is None else now + self.seconds


@dataclass(frozen=True)
class Fault:
    """One fault; `before` is what healing restores, in its actuator's words (JSON).

    `since` is when its effect began in seconds since the epoch (while `applying`: when it was asked for).
    `owner` says who made it: `cli:PID`, `scenario:NAME` or `tui`. `expires` is the end of its lease in
    seconds since the epoch; None stands until it is healed.
    """

    id: str
    kind: FaultKind
    target: Target
    since: float
    state: FaultState = "applying"
    parameters: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""
    expires: float | None = None

    def at(self, state: FaultState, before: Mapping[str, Any] | None = None) -> Self:
        """The same fault one step on."""
        return replace(self, state=state, before=self.before if before is None else before)

    @property
    def lease(self) -> float | None:
        """Seconds from `since` to its end; None if it has none."""
        return None if self.expires is None else self.expires - self.since

    def is_due(self, now: float) -> bool:
        """Whether its lease is over."""
        return self.expires is not None and self.expires <= now

    def shown(self, now: float) -> str:
        """Its state in one word: `overdue` if it should have been healed by now."""
        return "overdue" if self.state == "active" and self.is_due(now) else self.state

    def is_same(self, other: "Fault") -> bool:
        """Whether both ask for the same thing and come from the same kind of owner."""
        mine, theirs = (
            (one.kind, one.target, dict(one.parameters), one.owner.partition(":")[0]) for one in (self, other)
        )
        return mine == theirs

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


def unfinished(faults: Mapping[str, Fault], now: float) -> tuple[Fault, ...]:
    """The faults that nobody works on any more and that must be healed, newest first.

    Only for who holds the lab's lock: a fault on its way belongs to a command that has died then.
    """
    return tuple(
        fault for fault in reversed(list(faults.values())) if fault.state != "active" or fault.is_due(now)
    )
