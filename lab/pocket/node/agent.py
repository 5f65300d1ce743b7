"""The node program: registration, pods, kubelet API and DNS of one cluster, in one event loop.

The engine calls `run` with its runtime; cancelling it leaves the containers running, to be adopted by
the next node process.
"""

import asyncio

from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import CONFIG_MAPS, ENDPOINT_SLICES, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS, SERVICES
from lab.pocket.events import Recorder
from lab.pocket.node import registration
from lab.pocket.node.api.server import serve as serve_api
from lab.pocket.node.claims import Claims
from lab.pocket.node.config import NodeConfig
from lab.pocket.node.dns.index import Index
from lab.pocket.node.dns.server import serve as serve_dns
from lab.pocket.node.execs import Execs
from lab.pocket.node.kit import Kit
from lab.pocket.node.logtimes import LogTimes
from lab.pocket.node.pods import Pods
from lab.pocket.node.runtime import PodRuntime


async def run(config: NodeConfig, runtime: PodRuntime, client: Client) -> None:
    """Be the cluster's node until cancelled."""
    pods_here = Informer(client, PODS, fields=f"spec.nodeName={config.name}")
    recorder = Recorder(client, "kubelet", config.name)
    kit = Kit(
        config=config,
        runtime=runtime,
        client=client,
        recorder=recorder,
        execs=Execs(runtime),
        config_maps=Informer(client, CONFIG_MAPS),
        secrets=Informer(client, SECRETS),
        service_accounts=Informer(client, SERVICE_ACCOUNTS),
        services=Informer(client, SERVICES),
        log_times=LogTimes(),
        claims=Claims(client, pods_here, recorder, config.claims_dir),
    )
    slices, namespaces = Informer(client, ENDPOINT_SLICES), Informer(client, NAMESPACES)
    index = Index(kit.services, slices, namespaces)
    pods = Pods(kit, pods_here)
    async with asyncio.TaskGroup() as group:
        informers = (
            pods_here,
            kit.config_maps,
            kit.secrets,
            kit.service_accounts,
            kit.claims.informer,
            kit.services,
            slices,
            namespaces,
        )
        for informer in informers:
            group.create_task(informer.run(), name=f"informer {informer.kind.plural}")
        group.create_task(registration.run(config, client), name="registration")
        group.create_task(kit.recorder.run(), name="events")
        group.create_task(pods.run(), name="pods")
        group.create_task(kit.claims.run(), name="claims")
        group.create_task(kit.log_times.run(pods.log_files), name="log times")
        group.create_task(serve_api(config.kubelet_socket, pods, kit), name="kubelet api")
        group.create_task(
            serve_dns(index.zone(config.cluster_domain), config.dns_ip, config.dns_port), name="dns"
        )
        group.create_task(serve_dns(None, config.dns_ip, config.failing_dns_port), name="failing dns")
