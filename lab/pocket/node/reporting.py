"""What the node tells the API server about one pod: its status, and the event of a back-off.

Used by the pod worker, which says when; `lifecycle.status` decides what.
"""

import time
from collections.abc import Mapping
from typing import Any

from lab.kube.objects import Object
from lab.pocket.node.kit import Kit
from lab.pocket.node.lifecycle.status import (
    Failure,
    Surroundings,
    backoff_message,
    backs_off,
    pod_status,
)
from lab.pocket.node.statuswriter import StatusWriter
from lab.pocket.node.tracked import Tracked


class Reporter:
    """The status of one pod on its way to the server."""

    def __init__(self, kit: Kit, pod: Object, containers: Mapping[str, Tracked]) -> None:
        self._kit, self._containers = kit, containers
        self._writer = StatusWriter(kit.client, pod)
        seen = pod.get("status") or {}
        failed = seen.get("phase") == "Failed" and seen.get("reason")
        self.failure = Failure(seen["reason"], seen.get("message", "")) if failed else None
        """Set once the pod has failed as a whole."""

    def publish(self, pod: Object, ip: str, *, over: bool = False) -> None:
        """Have the status as it is now written soon; `over` when nothing of the pod runs any more."""
        views = {n: tracked.view() for n, tracked in self._containers.items()}
        self._writer.saw(pod)
        seen = self.seen(pod, ip)
        for tracked in self._containers.values():
            if backs_off(seen, tracked.spec, views[tracked.name]) and not tracked.announced:
                tracked.announced = True
                message = backoff_message(seen, views[tracked.name])
                tracked.event("BackOff", message[0].upper() + message[1:], warning=True)
        place = Surroundings(self._kit.config.ip, ip, time.time(), self.failure, over)
        self._writer.want(pod_status(seen, views, place))

    def seen(self, pod: Object, ip: str) -> Object:
        """The pod with the status as this node knows it, foreign conditions from the API server."""
        status: dict[str, Any] = {**(pod.get("status") or {})}
        own = {c["type"]: c for c in self._writer.wanted.get("conditions") or ()}
        others = [c for c in status.get("conditions") or () if c["type"] not in own]
        status |= {
            "conditions": [*own.values(), *others],
            "hostIP": self._kit.config.ip,
            "hostIPs": [{"ip": self._kit.config.ip}],
        }
        if start_time := self._writer.wanted.get("startTime"):
            status["startTime"] = start_time
        if ip:
            status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        return {**pod, "status": status}

    async def flush(self) -> None:
        """Return when the last status is written."""
        await self._writer.flush()

    def cancel(self) -> None:
        self._writer.cancel()
