"""All controllers of one cluster, in one event loop, over one set of watches."""

import asyncio
from pathlib import Path

from lab.kube.client import Client
from lab.kube.informer import all_synced
from lab.pocket.controllers.basics import LoadBalancers, NamespaceBasics
from lab.pocket.controllers.deployment import DeploymentController
from lab.pocket.controllers.endpointslice import EndpointSliceController
from lab.pocket.controllers.garbage import GarbageCollector
from lab.pocket.controllers.namespaces import NamespaceController
from lab.pocket.controllers.replicaset import ReplicaSetController
from lab.pocket.controllers.scheduler import Scheduler
from lab.pocket.controllers.statefulset import StatefulSetController
from lab.pocket.controllers.watches import Watches
from lab.pocket.events import Recorder


async def run(client: Client, *, cluster: str, node_ip: str, ca_file: Path) -> None:
    """Run every controller until cancelled."""
    watches = Watches.of(client)
    scheduling = Recorder(client, "default-scheduler")
    deployments = Recorder(client, "deployment-controller")
    replica_sets = Recorder(client, "replicaset-controller")
    stateful_sets = Recorder(client, "statefulset-controller")
    async with asyncio.TaskGroup() as group:
        for informer in watches:
            group.create_task(informer.run(), name=f"informer {informer.kind.plural}")
        await all_synced(*watches)  # a controller that sees half would delete what it does not see
        controllers = (
            Scheduler(client, watches, scheduling),
            ReplicaSetController(client, watches, replica_sets),
            DeploymentController(client, watches, deployments),
            StatefulSetController(client, watches, stateful_sets),
            EndpointSliceController(client, watches, cluster),
            NamespaceBasics(client, watches, ca_file),
            LoadBalancers(client, watches, node_ip),
            NamespaceController(client, watches),
            GarbageCollector(client, watches),
        )
        for controller in controllers:
            group.create_task(controller.run(), name=type(controller).__name__)
        for recorder in (scheduling, deployments, replica_sets, stateful_sets):
            group.create_task(recorder.run(), name=f"events of {recorder.component}")
