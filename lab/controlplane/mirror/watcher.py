"""One link at work: wires what it sees, what it must do and what it writes; `run` until cancelled.

main.py starts one watcher per Link spec and replaces it when the spec changes.
"""

import asyncio

from lab.controlplane.admin import Metrics
from lab.controlplane.mirror.gateway import GatewayWatch
from lab.controlplane.mirror.keys import Keys
from lab.controlplane.mirror.mirrors import Mirrors
from lab.controlplane.mirror.pods import PodMirrors
from lab.controlplane.mirror.status import Board
from lab.controlplane.mirror.view import View
from lab.controlplane.mirror.writer import Writer
from lab.kube.informer import all_synced, run_all
from lab.kube.objects import Key
from lab.kube.reconcile import Reconciler


class Watcher:
    """All that runs for one Link spec."""

    def __init__(self, view: View, metrics: Metrics) -> None:
        writer = Writer(view.clusters.local)
        self._view, self._metrics = view, metrics
        self._board = Board(view.clusters.local, view.link)
        mirrors = Mirrors(view, writer, self._board)
        self._pods = PodMirrors(view, writer)
        self._queue: Reconciler[Key] = Reconciler(f"mirror-{view.link.name}", mirrors.reconcile)
        self._keys = Keys(view, self._queue.enqueue)
        self.gateway = GatewayWatch(view, writer, metrics, self._keys.enqueue_all)

    async def run(self) -> None:
        """Follow both clusters and keep the mirrors right."""
        self._keys.subscribe()
        link = self._view.link
        async with asyncio.TaskGroup() as group:
            group.create_task(run_all(*self._view.informers()))
            group.create_task(self._reconcile_when_known())
            if self._view.profile.version != "2.14":
                group.create_task(self._board.run())
            has_gateway = bool(link.gateway_addresses)
            self._metrics.set("gateway_enabled", int(has_gateway), target_cluster_name=link.cluster)
            if has_gateway:
                group.create_task(self.gateway.repair())
                group.create_task(self.gateway.probe())

    async def _reconcile_when_known(self) -> None:
        """Mirrors left over from before are keys too, so starting collects garbage."""
        await all_synced(*self._view.local.all())
        if "headless-mirrors-collected" in self._view.profile.bugs:
            await all_synced(*self._view.informers())
            await self._pods.collect()
        self._keys.enqueue_all()
        await self._queue.run()
