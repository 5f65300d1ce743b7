"""All linked clusters: one Remote per credentials Secret, started, replaced and stopped as Secrets come and
go.
"""

import asyncio
from dataclasses import dataclass, field

from lab.base.log import get_logger
from lab.controlplane.destination.remote import CLUSTER_NAME, Remote, cluster_of
from lab.controlplane.model.world import World
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced
from lab.kube.kinds import SECRETS
from lab.kube.objects import Object, annotations

log = get_logger(__name__)

READ_WITHIN = 3.0
"""Seconds for which a start waits for linked clusters; a proxy that is new has nothing meanwhile."""


@dataclass
class Remotes:
    """Follows the Secrets of a namespace; a cluster that cannot be reached never stops the others."""

    client: Client
    namespace: str
    world: World
    remotes: dict[str, Remote] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._secrets = Informer(self.client, SECRETS, self.namespace, labels=CLUSTER_NAME)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._secrets.subscribe(lambda old, new: self._changed(old, new, group))
            group.create_task(self._secrets.run())

    async def read(self, within: float = READ_WITHIN) -> None:
        """Return once all linked clusters have been read, or after `within` seconds: those that are away
        must not hold up the others."""
        await all_synced(self._secrets)
        try:
            async with asyncio.timeout(within):
                for remote in list(self.remotes.values()):
                    await remote.read.wait()
        except TimeoutError:
            away = [name for name, remote in self.remotes.items() if not remote.read.is_set()]
            log.warning("served without linked clusters that are away", clusters=away)

    def live(self) -> dict[str, bool]:
        """Whether each linked cluster's API answers now."""
        return {name: remote.is_live for name, remote in self.remotes.items()}

    def _changed(self, old: Object | None, new: Object | None, group: asyncio.TaskGroup) -> None:
        if new is None:
            self._stop(cluster_of(old or {}))
        elif old is None or _content(old) != _content(new):
            if old is not None and cluster_of(old) != cluster_of(new):
                self._stop(cluster_of(old))
            self._start(cluster_of(new), new, group)

    def _start(self, name: str, secret: Object, group: asyncio.TaskGroup) -> None:
        before = self.remotes.get(name)
        if task := self._tasks.pop(name, None):
            task.cancel()
        log.info("linked cluster added" if before is None else "credentials replaced", cluster=name)
        self.remotes[name] = Remote(name, self.world, secret)
        self._tasks[name] = group.create_task(self.remotes[name].run(before))

    def _stop(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()
        if remote := self.remotes.pop(name, None):
            remote.forget()
            log.info("linked cluster removed", cluster=name)


def _content(secret: Object) -> object:
    return secret.get("data"), cluster_of(secret), annotations(secret)
