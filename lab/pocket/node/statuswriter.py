"""Writes a pod's status to the API server: the newest wanted one, only when it differs, one at a time.

The worker sets what it wants and goes on; a slow or absent server never holds a pod up.
"""

import asyncio
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import PODS
from lab.kube.objects import Object, name, namespace, resource_version

log = get_logger(__name__)
CLEARED = ("reason", "message", "nominatedNodeName")
"""Left over from before the pod ran; a merge patch removes them by null."""


class StatusWriter:
    """The way of one pod's status to the server."""

    def __init__(self, client: Client, pod: Object) -> None:
        self._client, self._pod = client, pod
        self._written: dict[str, Any] = dict(pod.get("status") or {})
        self._wanted: dict[str, Any] = self._written
        self._version = _version(pod)
        self._task: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> dict[str, Any]:
        """The status as it will be seen once written."""
        return self._wanted

    def saw(self, pod: Object) -> None:
        """Take note of what the server has: what others said of the node's own conditions is written over, as
        the node controller's word on a node that it had not heard of for a while.
        """
        if self._task is None or self._task.done():
            theirs = {c["type"]: c["status"] for c in (pod.get("status") or {}).get("conditions") or ()}
            mine = {c["type"]: c["status"] for c in self._written.get("conditions") or ()}
            if _version(pod) > self._version and any(theirs.get(kind) != mine[kind] for kind in mine):
                self._written = dict(pod["status"])

    def want(self, status: dict[str, Any]) -> None:
        """Have `status` written soon."""
        self._wanted = status
        if self._differs() and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Return when the wanted status is written."""
        if self._task:
            await self._task

    def cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def _differs(self) -> bool:
        return any(self._written.get(key) != value for key, value in self._wanted.items())

    async def _write(self) -> None:
        backoff = Backoff(0.05, 5.0)
        while self._differs():
            status = self._wanted
            patch = {"status": {**{key: None for key in CLEARED if key in self._written}, **status}}
            try:
                done = await self._client.patch(PODS, name(self._pod), patch, namespace(self._pod), "status")
                self._written, self._version = status, _version(done)
            except NotFound:
                return
            except LabError as error:
                log.warning("pod status not written", pod=name(self._pod), error=error)
                await backoff.pause()


def _version(pod: Object) -> int:
    return int(resource_version(pod) or 0)
