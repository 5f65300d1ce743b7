"""Leader election by a Lease, so that one of several mirror controllers writes.

Judged by the holder's renewals as seen here, never by comparing clocks: a lease is free when it has not
changed for its whole duration of *our* time.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.base.log import get_logger
from lab.base.wait import pause
from lab.kube.client import Client
from lab.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from lab.kube.kinds import LEASES
from lab.kube.objects import Object, now_micro, resource_version, spec

log = get_logger(__name__)

DURATION, RENEW, RETRY = 30, 10.0, 2.0


@dataclass
class Election:
    """One candidate for one Lease."""

    client: Client
    namespace: str
    name: str
    identity: str
    _seen_version: str = ""
    _seen_at: float = 0.0

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, run `work` while holding it, give it back; ends when leadership is lost."""
        await self._acquire()
        log.info("leading", lease=self.name, identity=self.identity)
        try:
            await self._work_while_renewed(work)
        finally:
            await self._release()

    async def _work_while_renewed(self, work: Callable[[], Awaitable[None]]) -> None:
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew())
        try:
            done, _ = await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
        for task in done:
            task.result()

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._try():
                    return
            except ApiError as error:
                log.warning("lease cannot be read or written", lease=self.name, error=error)
            await pause(RETRY)

    async def _try(self) -> bool:
        """Take the lease if it is free or ours; returns whether we hold it now."""
        try:
            lease = await self.client.get(LEASES, self.name, self.namespace)
        except NotFound:
            lease = {}
        if lease and not self._is_free(lease):
            return False
        try:
            if lease:
                await self.client.replace(LEASES, {**lease, "spec": {**spec(lease), **self._claim(lease)}})
            else:
                meta = {"name": self.name, "namespace": self.namespace}
                head = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": meta}
                await self.client.create(LEASES, {**head, "spec": self._claim({})})
        except (Conflict, AlreadyExists):
            return False
        return True

    def _is_free(self, lease: Object) -> bool:
        holder = spec(lease).get("holderIdentity") or ""
        if holder in ("", self.identity):
            return True
        version = resource_version(lease)
        if version != self._seen_version:
            self._seen_version, self._seen_at = version, time.monotonic()
        duration = float(spec(lease).get("leaseDurationSeconds") or DURATION)
        return time.monotonic() - self._seen_at > duration

    def _claim(self, lease: Object) -> Object:
        moment = now_micro()
        is_ours = spec(lease).get("holderIdentity") == self.identity
        transitions = int(spec(lease).get("leaseTransitions") or 0)
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": spec(lease).get("acquireTime") if is_ours else moment,
            "renewTime": moment,
            "leaseTransitions": transitions if is_ours or not lease else transitions + 1,
        }

    async def _renew(self) -> None:
        """Returns when the lease is lost: taken by another, or not renewable for its whole duration."""
        renewed = time.monotonic()
        while time.monotonic() - renewed < DURATION:
            await pause(RENEW if time.monotonic() - renewed < RETRY else RETRY)
            try:
                lease = await self.client.get(LEASES, self.name, self.namespace)
                if spec(lease).get("holderIdentity") not in ("", None, self.identity):
                    log.warning("lease taken over", lease=self.name, holder=spec(lease)["holderIdentity"])
                    return
                if await self._try():
                    renewed = time.monotonic()
            except ApiError as error:
                log.warning("lease not renewed", lease=self.name, error=error)
        log.error("lease lost", lease=self.name)

    async def _release(self) -> None:
        try:
            lease = await self.client.get(LEASES, self.name, self.namespace)
            if spec(lease).get("holderIdentity") == self.identity:
                await self.client.replace(LEASES, {**lease, "spec": {**spec(lease), "holderIdentity": ""}})
        except ApiError as error:
            log.info("lease not given back, it will expire", lease=self.name, error=error)


def hostname() -> str:
    """Under which name this process stands for election: its pod's."""
    return os.environ.get("HOSTNAME") or socket.gethostname()
