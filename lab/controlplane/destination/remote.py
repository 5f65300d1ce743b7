"""One linked cluster as the destination program sees it: its Services, slices and pods, over its own API.

When that API is lost everything stays as it was last seen. Nothing here ever waits for a remote cluster on
behalf of a local request.
"""

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

import yaml

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff
from lab.controlplane.identity.names import CLUSTER_DOMAIN, TRUST_DOMAIN
from lab.controlplane.model.world import World
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced, run_all
from lab.kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from lab.kube.objects import Key, Object, annotations, labels

log = get_logger(__name__)

CLUSTER_NAME = "multicluster.linkerd.io/cluster-name"
_KINDS = (SERVICES, ENDPOINT_SLICES, PODS)


@dataclass
class Remote:
    """Keeps one cluster's objects in the world until it is stopped or succeeded by newer credentials."""

    name: str
    world: World
    secret: Object
    informers: list[Informer] = field(default_factory=list)
    read: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all of it has been seen."""

    async def run(self, before: "Remote | None" = None) -> None:
        """Follow the cluster until cancelled; `before` is the same cluster under older credentials."""
        async with await self._connect() as client:
            self.informers = [Informer(client, kind) for kind in _KINDS]
            for informer in self.informers:
                informer.subscribe(lambda old, new: self.world.put(old, new, self.name))
            async with asyncio.TaskGroup() as group:
                group.create_task(run_all(*self.informers))
                group.create_task(self._succeed(before))

    def forget(self) -> None:
        """Take everything of this cluster out of the world."""
        for informer in self.informers:
            for obj in informer.items.values():
                self.world.put(obj, None, self.name)
        self.world.set_cluster(self.name, None)

    @property
    def is_live(self) -> bool:
        return bool(self.informers) and all(informer.is_live for informer in self.informers)

    async def _connect(self) -> Client:
        """A client from the Secret; tried again for ever, since only the Secret's owner can mend it."""
        backoff = Backoff(0.5, 10)
        while True:
            try:
                notes = annotations(self.secret)
                settings = {
                    "trust_domain": notes.get("multicluster.linkerd.io/trust-domain", TRUST_DOMAIN),
                    "cluster_domain": notes.get("multicluster.linkerd.io/cluster-domain", CLUSTER_DOMAIN),
                }
                client = await Client.from_kubeconfig_data(kubeconfig_of(self.secret))
                self.world.set_cluster(self.name, settings)
                return client
            except (LabError, OSError, ValueError) as error:
                log.error("credentials unusable", cluster=self.name, error=error)
            await backoff.pause()

    async def _succeed(self, before: "Remote | None") -> None:
        """Once the new list is complete, drop what only the old one had."""
        await all_synced(*self.informers)
        self.read.set()
        log.info("remote cluster read", cluster=self.name)
        for old, new in zip(before.informers if before else [], self.informers, strict=False):
            gone: dict[Key, Any] = {key: obj for key, obj in old.items.items() if key not in new.items}
            for obj in gone.values():
                self.world.put(obj, None, self.name)


def cluster_of(secret: Object) -> str:
    """Which linked cluster a Secret is for; "" if it is none of ours."""
    return labels(secret).get(CLUSTER_NAME, "")


def kubeconfig_of(secret: Object) -> dict[str, Any]:
    """The kubeconfig in a credentials Secret. Raises LabError naming what is wrong with it."""
    name = (secret.get("metadata") or {}).get("name")
    try:
        parsed = yaml.safe_load(base64.b64decode((secret.get("data") or {})["kubeconfig"]))
    except (KeyError, ValueError, yaml.YAMLError) as error:
        raise LabError(f"Secret {name}: key kubeconfig is missing or no kubeconfig: {error}") from error
    if not isinstance(parsed, dict):
        raise LabError(f"Secret {name}: key kubeconfig holds {type(parsed).__name__}, not a kubeconfig")
    return parsed
