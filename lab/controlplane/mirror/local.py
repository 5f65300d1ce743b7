"""Program `local-service-mirror`: gives federated Services their local member.

A local Service labelled `mirror.linkerd.io/federated=member` becomes part of `<name>-federated`, which
then takes its metadata and ports from it.
"""

import argparse
import asyncio
from collections.abc import Sequence

from lab.base.log import get_logger, setup
from lab.controlplane import admin
from lab.controlplane.lifecycle import until_terminated
from lab.controlplane.mirror import federated
from lab.controlplane.mirror.headless import is_headless
from lab.controlplane.mirror.labels import FEDERATED, LOCAL_DISCOVERY
from lab.controlplane.mirror.lease import Election, hostname
from lab.controlplane.mirror.writer import NotOurs, Writer
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced, run_all
from lab.kube.kinds import SERVICES
from lab.kube.objects import Key, Object, annotations, is_deleting, key, labels, name, namespace
from lab.kube.reconcile import Reconciler

log = get_logger(__name__)


class LocalMirror:
    """Reconciles the local member of each federated Service, by the member's (namespace, name)."""

    def __init__(self, client: Client) -> None:
        self.services = Informer(client, SERVICES)
        self.writer = Writer(client)
        self.queue: Reconciler[Key] = Reconciler("local-service-mirror", self.reconcile)

    async def run(self) -> None:
        self.services.subscribe(self._note)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_all(self.services))
            await all_synced(self.services)
            group.create_task(self.queue.run())

    def _note(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        if any(labels(o).get(FEDERATED) == "member" for o in (old, new) if o):
            self.queue.enqueue(key(obj))
        local = annotations(obj).get(LOCAL_DISCOVERY)
        if federated.is_federated(obj):
            self.queue.enqueue((namespace(obj), local or name(obj).removesuffix(federated.SUFFIX)))

    async def reconcile(self, member_key: Key) -> float | None:
        """Join or leave, as the member's label says."""
        member = self.services.get(*member_key)
        existing = self.services.get(member_key[0], federated.federated_name(member_key[1]))
        if member is not None and _joins(member):
            ours = existing is None or federated.is_federated(existing)
            try:
                wanted = federated.join_local(existing, member)
                if await self.writer.ensure(SERVICES, existing, wanted, is_ours=ours):
                    log.info("local member joined", namespace=member_key[0], service=member_key[1])
            except NotOurs as error:
                log.warning("not federated", service=member_key, error=error)
            return None
        if existing is None or annotations(existing).get(LOCAL_DISCOVERY) != member_key[1]:
            return None
        left = federated.leave_local(existing)
        if left is None:
            await self.writer.remove(SERVICES, existing)
        else:
            await self.writer.ensure(SERVICES, existing, left)
        log.info("local member left", namespace=member_key[0], service=member_key[1])
        return None


def _joins(service: Object) -> bool:
    """A headless Service cannot be federated, whatever its label says."""
    is_member = labels(service).get(FEDERATED) == "member"
    return is_member and not is_deleting(service) and not is_headless(service)


async def _run(options: argparse.Namespace) -> None:
    async with await Client.in_cluster() as client:
        election = Election(client, options.namespace, "local-service-mirror-write", hostname())

        async def lead_for_ever() -> None:
            while True:
                await election.lead(LocalMirror(client).run)

        runner = await admin.serve(admin.application(admin.Metrics(), lambda: ""), options.admin_port)
        try:
            await until_terminated(lead_for_ever())
        finally:
            await runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="local-service-mirror", description=__doc__)
    parser.add_argument("--namespace", default="linkerd-multicluster")
    parser.add_argument("--admin-port", type=int, default=9999)
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
