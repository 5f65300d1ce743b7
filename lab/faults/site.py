"""Where faults are made: one lab with its record, its engine, and a way to its clusters. Pure data."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.base.state import LabDir
from lab.engines.protocol import Engine
from lab.faults.ledger import Ledger

if TYPE_CHECKING:
    from lab.kube.client import Client


@dataclass(frozen=True)
class Site:
    """What `lab.ops` hands over; `connect` gives a client of a cluster's API server by its name."""

    dir: LabDir
    engine: Engine
    connect: Callable[[str], Awaitable["Client"]]
    ledger: Ledger
