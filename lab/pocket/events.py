"""Kubernetes Events about objects: collected for a moment, merged when equal, written in the background.

Node and controllers call `record`; a failure to write is logged and never disturbs the caller.
"""

import asyncio
import time
from dataclasses import dataclass, field

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import pause
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import EVENTS
from lab.kube.objects import Object, name, namespace, now, uid

log = get_logger(__name__)
GATHER = 0.5
"""Seconds over which equal events are merged; it also keeps events out of the way of a starting pod."""
REMEMBERED = 2048


@dataclass(frozen=True)
class _Key:
    uid: str
    reason: str
    message: str
    type: str


@dataclass
class _Tally:
    about: Object
    field_path: str
    first: str
    last: str
    began: int
    """Nanoseconds; part of the event's name, so that events listed by name are in order."""
    count: int = 1
    written_as: str = ""


@dataclass
class Recorder:
    """Writes events as one component (`kubelet`, `default-scheduler` …)."""

    client: Client
    component: str
    host: str = ""
    _tallies: dict[_Key, _Tally] = field(default_factory=dict)
    _dirty: dict[_Key, None] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def record(
        self, about: Object, reason: str, message: str, *, warning: bool = False, path: str = ""
    ) -> None:
        """Note that something happened to `about`; returns at once."""
        key = _Key(uid(about), reason, message, "Warning" if warning else "Normal")
        stamp = now()
        if known := self._tallies.get(key):
            known.count, known.last = known.count + 1, stamp
        else:
            self._tallies[key] = _Tally(about, path, stamp, stamp, time.time_ns())
            while len(self._tallies) > REMEMBERED:
                self._tallies.pop(next(iter(self._tallies)))
        self._dirty[key] = None
        self._wake.set()

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        while True:
            await self._wake.wait()
            await pause(GATHER)
            self._wake.clear()
            dirty, self._dirty = list(self._dirty), {}
            for key in dirty:
                if tally := self._tallies.get(key):
                    await self._write(key, tally)

    async def _write(self, key: _Key, tally: _Tally) -> None:
        space = namespace(tally.about) or "default"
        try:
            if tally.written_as:
                patch = {"count": tally.count, "lastTimestamp": tally.last}
                await self.client.patch(EVENTS, tally.written_as, patch, space)
                return
        except NotFound:
            tally.written_as = ""  # expired meanwhile: write it anew
        except LabError as error:
            log.warning("event not updated", about=name(tally.about), reason=key.reason, error=error)
            return
        event = self._event(key, tally, space)
        try:
            await self.client.create(EVENTS, event, space)
            tally.written_as = name(event)
        except LabError as error:
            log.info("event not written", about=name(tally.about), reason=key.reason, error=error)

    def _event(self, key: _Key, tally: _Tally, space: str) -> Object:
        about = tally.about
        involved = {
            "apiVersion": about.get("apiVersion", "v1"),
            "kind": about.get("kind", ""),
            "name": name(about),
            "namespace": namespace(about),
            "uid": key.uid,
        }
        if tally.field_path:
            involved["fieldPath"] = tally.field_path
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name(about)}.{tally.began:x}", "namespace": space},
            "involvedObject": {k: v for k, v in involved.items() if v},
            "reason": key.reason,
            "message": key.message,
            "type": key.type,
            "count": tally.count,
            "firstTimestamp": tally.first,
            "lastTimestamp": tally.last,
            "source": {"component": self.component, **({"host": self.host} if self.host else {})},
            "reportingComponent": self.component,
            "reportingInstance": self.host,
        }
