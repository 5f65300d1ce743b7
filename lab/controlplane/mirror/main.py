"""Program `service-mirror --link NAME`: leads by Lease, then runs a Watcher for the Link as it stands now.

A changed Link spec or credentials Secret starts a new Watcher; a change of status does not.
"""

import argparse
import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from lab.base.errors import LabError
from lab.base.log import get_logger, setup
from lab.base.wait import pause
from lab.controlplane import admin
from lab.controlplane.lifecycle import until_terminated
from lab.controlplane.mirror import probe
from lab.controlplane.mirror.lease import Election, hostname
from lab.controlplane.mirror.link import Link, LinkError, link_of
from lab.controlplane.mirror.probe import Profile
from lab.controlplane.mirror.view import Clusters, View
from lab.controlplane.mirror.watcher import Watcher
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced, run_all
from lab.kube.kinds import LINKS, SECRETS
from lab.kube.objects import Object
from lab.topology.bugs import BUGS

log = get_logger(__name__)

RETRY = 10.0


@dataclass
class Controller:
    """The program of one link."""

    client: Client
    namespace: str
    name: str
    profile: Profile
    identity: str = field(default_factory=hostname)
    metrics: admin.Metrics = field(default_factory=admin.Metrics)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watcher: Watcher | None = None

    def __post_init__(self) -> None:
        self.links = Informer(self.client, LINKS, self.namespace, fields=f"metadata.name={self.name}")
        # Only this Secret, by name: the controller may not read any other.
        secret = f"metadata.name=cluster-credentials-{self.name}"
        self.secrets = Informer(self.client, SECRETS, self.namespace, fields=secret)

    async def run(self) -> None:
        """Lead for ever; a lost lease is applied for again."""
        lease = f"service-mirror-write-{self.name}"
        election = Election(self.client, self.namespace, lease, self.identity)
        while True:
            await election.lead(self.work)

    async def work(self) -> None:
        """Follow the Link and its Secret; keep exactly one Watcher running."""
        async with asyncio.TaskGroup() as group:
            group.create_task(run_all(self.links, self.secrets))
            self.links.subscribe(self._note_link)
            self.secrets.subscribe(self._note_secret)
            await all_synced(self.links, self.secrets)
            while True:
                self.changed.clear()
                watching = group.create_task(self._watch_once())
                await self.changed.wait()
                watching.cancel()
                await asyncio.wait([watching])

    async def _watch_once(self) -> None:
        """One Watcher; a Link or Secret that cannot be used is tried again, for it may be repaired."""
        obj = self.links.get(self.namespace, self.name)
        if obj is None:
            log.info("the Link does not exist", link=self.name)
            return
        while True:
            try:
                link = link_of(obj)
                remote = await self._remote(link)
            except LabError as error:
                log.error("link cannot be used", link=self.name, error=error)
                if isinstance(error, LinkError):
                    return
                await pause(RETRY)
                continue
            async with remote:
                log.info("watching", link=self.name, cluster=link.cluster, server=remote.server)
                view = View(link, Clusters(self.client, remote), self.profile)
                self.watcher = Watcher(view, self.metrics)
                await self.watcher.run()

    async def _remote(self, link: Link) -> Client:
        secret = await self.client.get(SECRETS, link.secret, link.namespace)
        return await Client.from_kubeconfig_data(kubeconfig_of(secret))

    def _note_link(self, old: Object | None, new: Object | None) -> None:
        if (old or {}).get("spec") != (new or {}).get("spec"):
            self.changed.set()

    def _note_secret(self, old: Object | None, new: Object | None) -> None:
        if (old or {}).get("data") != (new or {}).get("data"):
            self.changed.set()


def kubeconfig_of(secret: Object) -> Object:
    """The kubeconfig in a credentials Secret. Raises LabError."""
    try:
        parsed = yaml.safe_load(base64.b64decode(secret["data"]["kubeconfig"]))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise LabError(f"the credentials Secret holds no kubeconfig: {error}") from error
    if not isinstance(parsed, dict):
        raise LabError("the credentials Secret holds no kubeconfig")
    return parsed


async def _run(options: argparse.Namespace) -> None:
    profile = Profile(
        options.profile,
        bugs=frozenset(options.emulate),
        headless=options.enable_headless_services,
        creates_namespaces=options.enable_namespace_creation,
    )
    async with await Client.in_cluster() as client:
        controller = Controller(client, options.namespace, options.link, profile)
        probe.declare(controller.metrics)
        runner = await admin.serve(admin.application(controller.metrics, lambda: ""), options.admin_port)
        try:
            await until_terminated(controller.run())
        finally:
            await runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="service-mirror", description=__doc__)
    parser.add_argument("--link", required=True)
    parser.add_argument("--namespace", default="linkerd-multicluster")
    parser.add_argument("--profile", default="latest", choices=("latest", "2.14"))
    parser.add_argument("--enable-headless-services", action="store_true")
    parser.add_argument("--enable-namespace-creation", action="store_true")
    parser.add_argument("--emulate", action="append", default=[], choices=BUGS)
    parser.add_argument("--admin-port", type=int, default=9999)
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
