"""All controllers of one cluster, in one event loop, over one set of watches."""

import asyncio
from pathlib import Path

from lab.kube.client import Client
from lab.kube.informer import all_synced
from lab.pocket.controllers.aggregation import ClusterRoleAggregation
from lab.pocket.controllers.basics import LoadBalancers, NamespaceBasics, TokenSecrets
from lab.pocket.controllers.daemonset import DaemonSetController
from lab.pocket.controllers.deployment import DeploymentController
from lab.pocket.controllers.endpointslice import EndpointSliceController
from lab.pocket.controllers.evictions import PodGarbage, TaintEviction
from lab.pocket.controllers.garbage import GarbageCollector
from lab.pocket.controllers.jobs.controller import JobController
from lab.pocket.controllers.namespaces import NamespaceController
from lab.pocket.controllers.nodes import NodeLifecycle
from lab.pocket.controllers.replicaset import ReplicaSetController
from lab.pocket.controllers.scheduler import Scheduler
from lab.pocket.controllers.statefulset import StatefulSetController
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder


async def run(client: Client, *, cluster: str, node_ip: str, ca_file: Path) -> None:
    """Run every controller until cancelled."""
    watches = Watches.of(client)
    recorders: list[Recorder] = []

    def recorder(component: str) -> Recorder:
        recorders.append(Recorder(client, component))
        return recorders[-1]

    async with asyncio.TaskGroup() as group:
        for informer in watches:
            group.create_task(informer.run(), name=f"informer {informer.kind.plural}")
        await all_synced(*watches)  # a controller that sees half would delete what it does not see
        controllers = (
            Scheduler(client, watches, recorder("default-scheduler")),
            ReplicaSetController(client, watches, recorder("replicaset-controller")),
            DeploymentController(client, watches, recorder("deployment-controller")),
            StatefulSetController(client, watches, recorder("statefulset-controller")),
            DaemonSetController(client, watches, recorder("daemonset-controller")),
            JobController(client, watches, recorder("job-controller")),
            EndpointSliceController(client, watches, cluster),
            NamespaceBasics(client, watches, ca_file),
            TokenSecrets(client, watches),
            LoadBalancers(client, watches, node_ip),
            NamespaceController(client, watches),
            ClusterRoleAggregation(client, watches),
            NodeLifecycle(client, watches, recorder("node-controller")),
            TaintEviction(client, watches, recorder("taint-eviction-controller")),
            PodGarbage(client, watches),
            GarbageCollector(client, watches, recorder("garbage-collector-controller")),
        )
        for controller in controllers:
            group.create_task(controller.run(), name=type(controller).__name__)
        for each in recorders:
            group.create_task(each.run(), name=f"events of {each.component}")
