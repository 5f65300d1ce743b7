"""Program `failover`: shifts the weights of TrafficSplits that carry the failover label to ready backends."""

import argparse
import asyncio
from collections.abc import Sequence

from lab.base.log import get_logger, setup
from lab.controlplane import admin, events
from lab.controlplane.failover import weights
from lab.controlplane.lifecycle import until_terminated
from lab.controlplane.mirror.desired import has_ready_address
from lab.kube.client import Client
from lab.kube.informer import Informer, all_synced, run_all
from lab.kube.kinds import ENDPOINTS, TRAFFIC_SPLITS
from lab.kube.objects import Key, Object, key, name, namespace, spec
from lab.kube.reconcile import Reconciler

log = get_logger(__name__)


class Failover:
    """Reconciles each labelled TrafficSplit by its (namespace, name)."""

    def __init__(self, client: Client, controller: str) -> None:
        self._client = client
        self._controller = controller
        self._splits = Informer(client, TRAFFIC_SPLITS, labels=f"{weights.CONTROLLED_BY}={controller}")
        self._endpoints = Informer(client, ENDPOINTS)
        self._queue: Reconciler[Key] = Reconciler("failover", self.reconcile)

    async def run(self) -> None:
        """Follow splits and endpoints until cancelled."""
        self._splits.subscribe(lambda old, new: self._queue.enqueue(key(new or old or {})))
        self._endpoints.subscribe(self._note_endpoints)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_all(self._splits, self._endpoints))
            await all_synced(self._splits, self._endpoints)
            group.create_task(self._queue.run())

    def _note_endpoints(self, old: Object | None, new: Object | None) -> None:
        if has_ready_address(old) == has_ready_address(new):
            return
        changed = new or old or {}
        for split in self._splits.list(namespace(changed)):
            if name(changed) in weights.backends(split):
                self._queue.enqueue(key(split))

    async def reconcile(self, split_key: Key) -> float | None:
        """Give one split the weights it must have."""
        split = self._splits.get(*split_key)
        if split is None:
            return None
        space = namespace(split)
        ready = {b for b in weights.backends(split) if has_ready_address(self._endpoints.get(space, b))}
        wanted = weights.wanted(split, ready)
        if wanted == spec(split).get("backends"):
            return None
        await self._client.patch(TRAFFIC_SPLITS, name(split), {"spec": {"backends": wanted}}, space)
        target = weights.target(split, ready)
        log.info("failover", namespace=space, split=name(split), to=target)
        about = events.event(split, self._controller, "Failover", f"Traffic goes to {target}")
        await events.record(self._client, about)
        return None


async def _run(options: argparse.Namespace) -> None:
    async with await Client.in_cluster() as client:
        application = admin.application(admin.Metrics(), lambda: "")
        runner = await admin.serve(application, options.admin_port)
        try:
            await until_terminated(Failover(client, options.controlled_by).run())
        finally:
            await runner.cleanup()


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="failover", description=__doc__)
    parser.add_argument("--controlled-by", default="linkerd-failover", help="value of the failover label")
    parser.add_argument("--admin-port", type=int, default=9999)
    options = parser.parse_args(argv)
    setup()
    asyncio.run(_run(options))
    return 0
