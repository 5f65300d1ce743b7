"""What a Link's status says about each mirrored Service; written in one go after a burst of changes.

Only profiles after 2.14 have a status. `entry` and `combined` are pure.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.controlplane.mirror.link import Link
from lab.kube.client import Client
from lab.kube.errors import ApiError
from lab.kube.kinds import LINKS
from lab.kube.objects import Key, Object, now

log = get_logger(__name__)

CONTROLLER = "linkerd.io/service-mirror"
GATHER = 0.2
ENTRIES_PER_SECOND = 1000
RETRY = 2.0


@dataclass(frozen=True)
class Outcome:
    """Reason is Mirrored, InvalidService, MissingNamespace or Error, as upstream has them."""

    reason: str
    message: str = ""
    local: str = ""

    @property
    def is_good(self) -> bool:
        return self.reason == "Mirrored"


def entry(key: Key, outcome: Outcome, since: str) -> Object:
    """One element of status.mirrorServices."""
    namespace, name = key
    condition: dict[str, Any] = {
        "type": "Mirrored",
        "status": "True" if outcome.is_good else "False",
        "reason": outcome.reason,
        "message": outcome.message,
        "lastTransitionTime": since,
    }
    if outcome.local:
        condition["localRef"] = _reference(namespace, outcome.local)
    return {
        "remoteRef": _reference(namespace, name),
        "controllerName": CONTROLLER,
        "conditions": [condition],
    }


def _reference(namespace: str, name: str) -> dict[str, str]:
    return {"group": "", "kind": "Service", "namespace": namespace, "name": name}


@dataclass
class Board:
    """Collects outcomes per remote Service and keeps the Link's status equal to them."""

    client: Client
    link: Link
    mirrored: dict[Key, tuple[Outcome, str]] = field(default_factory=dict)
    federated: dict[Key, tuple[Outcome, str]] = field(default_factory=dict)
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, key: Key, outcome: Outcome | None, *, federated: bool = False) -> bool:
        """Remember an outcome (None: no longer exported); returns whether it is news."""
        book = self.federated if federated else self.mirrored
        before = book.get(key)
        if outcome is None:
            book.pop(key, None)
        elif before is None or before[0] != outcome:
            book[key] = (outcome, now())
        changed = book.get(key) != before
        if changed:
            self._dirty.set()
        return changed

    async def run(self) -> None:
        """Write the status whenever something is new."""
        while True:
            await self._dirty.wait()
            # The whole list is written each time, so a long one is written less often.
            await pause(GATHER + (len(self.mirrored) + len(self.federated)) / ENTRIES_PER_SECOND)
            self._dirty.clear()
            patch = {
                "status": {"mirrorServices": _list(self.mirrored), "federatedServices": _list(self.federated)}
            }
            try:
                await self.client.patch(LINKS, self.link.name, patch, self.link.namespace, sub="status")
            except ApiError as error:
                log.warning("link status not written", link=self.link.name, error=error)
                self._dirty.set()
                await pause(RETRY)


def _list(book: Mapping[Key, tuple[Outcome, str]]) -> list[Object]:
    return [entry(key, outcome, since) for key, (outcome, since) in sorted(book.items())]
