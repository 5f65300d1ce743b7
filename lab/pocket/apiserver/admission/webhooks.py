"""Admission webhooks: calls the registered ones and applies their answers."""

from typing import TYPE_CHECKING

from ..storage.record import Object
from ..storage.store import Store

if TYPE_CHECKING:
    from ..context import Call
    from .pipeline import Change


class Webhooks:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def mutate(self, call: "Call", change: "Change") -> Object:
        return change.obj

    async def validate(self, call: "Call", change: "Change") -> None:
        return None
