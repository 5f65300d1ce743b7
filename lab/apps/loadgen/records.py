"""What the load generator keeps of each request, and the ring it keeps them in.

`latency_ms` counts from the moment the schedule wanted the request sent, so a slow answer cannot hide the
wait of those behind it (no coordinated omission). `late_ms` is how much of it the generator itself was late.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

CAPACITY = 40_000


@dataclass(frozen=True, slots=True)
class Record:
    seq: int
    target: str
    due: float
    """Unix time the schedule wanted it sent."""
    done: float
    """Unix time it was over: answered, failed or given up."""
    latency_ms: float
    status: int
    """HTTP status; 0 when no response came."""
    error: str
    """Error class, empty for a good answer: timeout, connect, reset, overflow, http-<status>, …"""
    cluster: str = ""
    pod: str = ""
    client: str = ""
    late_ms: float = 0.0
    """How long after it was due it was really sent: what the load generator, or its machine, was late."""

    @property
    def sent(self) -> float:
        """Unix time it was really sent."""
        return self.due + self.late_ms / 1000

    @property
    def good(self) -> bool:
        return not self.error

    def fields(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "target": self.target,
            "due": round(self.due, 4),
            "done": round(self.done, 4),
            "latencyMs": round(self.latency_ms, 3),
            "status": self.status,
            "error": self.error,
            "cluster": self.cluster,
            "pod": self.pod,
            "client": self.client,
            "lateMs": round(self.late_ms, 3),
        }

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """The record that `fields` wrote."""
        return cls(
            seq=fields["seq"],
            target=fields["target"],
            due=fields["due"],
            done=fields["done"],
            latency_ms=fields["latencyMs"],
            status=fields["status"],
            error=fields["error"],
            cluster=fields["cluster"],
            pod=fields["pod"],
            client=fields["client"],
            late_ms=fields["lateMs"],
        )


class Ring:
    """The newest `capacity` records in the order they were done."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._records: deque[Record] = deque(maxlen=capacity)
        self._numbers = itertools.count(1)

    def next_seq(self) -> int:
        return next(self._numbers)

    def add(self, record: Record) -> None:
        self._records.append(record)

    def newest_first(self) -> Iterator[Record]:
        return reversed(self._records)

    def since_time(self, start: float) -> list[Record]:
        """Records done at or after `start`, oldest first."""
        kept = list(itertools.takewhile(lambda record: record.done >= start, reversed(self._records)))
        kept.reverse()
        return kept

    def since_seq(self, seq: int) -> list[Record]:
        """Records added after the one numbered `seq`, oldest first."""
        kept = list(itertools.takewhile(lambda record: record.seq > seq, reversed(self._records)))
        kept.reverse()
        return kept
