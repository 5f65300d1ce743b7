"""The `node` component of a cluster: kubelet, controllers, DNS and service proxy in one event loop.

Runs in the cluster's node network namespace. A part that ends takes the process down with its error in the
log; init starts it again, and the containers, which are init's, go on meanwhile.
"""

import asyncio
import signal
from argparse import ArgumentParser
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from lab.base.concurrent import first
from lab.base.log import get_logger, setup
from lab.base.state import LabDir
from lab.engines.embedded.control import Control
from lab.engines.embedded.kubeconfig import client_certificate
from lab.engines.embedded.namespaces import has_many_users
from lab.engines.embedded.runtime import InitRuntime
from lab.engines.embedded.services.proxy import ServiceProxy
from lab.kube.client import Client
from lab.plan.addresses import ClusterPlan
from lab.pocket.controllers.run import run as run_controllers
from lab.pocket.node.agent import run as run_agent
from lab.pocket.node.config import NodeConfig

API_PORT = 6443
log = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Be a cluster's node until SIGTERM; 1 when a part of it failed."""
    parser = ArgumentParser(prog="node", description=__doc__)
    parser.add_argument("--lab", required=True, type=Path, help="the lab's folder")
    parser.add_argument("--plan", required=True, help="the cluster's plan as YAML")
    options = parser.parse_args(argv)
    setup()
    plan = ClusterPlan(**yaml.safe_load(options.plan))
    return asyncio.run(_until_stopped(_serve(LabDir(options.lab), plan)))


async def _until_stopped(work: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return 0
    except BaseExceptionGroup as errors:
        log.exception("node failed", error=first(errors))
        return 1
    log.error("node ended by itself")
    return 1


async def _serve(lab: LabDir, plan: ClusterPlan) -> None:
    async with (
        await Client.from_kubeconfig_data(_kubeconfig(lab, plan)) as client,
        Control.connect(lab) as control,
        asyncio.TaskGroup() as group,
    ):
        why_no_limits = (await control.call("list"))["why_no_limits"]
        config = replace(node_config(lab, plan), why_no_limits=why_no_limits)
        runtime = InitRuntime(control, plan.name)
        proxy = ServiceProxy.of(client, plan.service_cidr, plan.node_name)
        parts = {
            "agent": run_agent(config, runtime, client),
            "controllers": run_controllers(
                client, cluster=plan.name, node_ip=plan.node_ip, ca_file=config.ca_file
            ),
            "service proxy": proxy.run(),
        }
        for name, part in parts.items():
            group.create_task(part, name=name)


def node_config(lab: LabDir, plan: ClusterPlan) -> NodeConfig:
    """What the node must know, from the cluster's plan."""
    folder = lab.cluster(plan.name)
    return NodeConfig(
        cluster=plan.name,
        name=plan.node_name,
        ip=plan.node_ip,
        pod_cidr=plan.pod_cidr,
        dns_ip=plan.dns_ip,
        kubelet_socket=folder.kubelet_socket,
        pods_dir=folder.pods,
        ca_file=folder.pki / "ca.crt",
        api_host=str(IPv4Network(plan.service_cidr)[1]),
        cluster_domain=plan.cluster_domain,
        memory_dir=lab.root / "memory",
        many_users=has_many_users(),
    )


def _kubeconfig(lab: LabDir, plan: ClusterPlan) -> dict[str, Any]:
    """The node calls its API server directly, so that it works before there is any Service."""
    pki = lab.cluster(plan.name).pki
    cluster = {"server": f"https://{plan.node_ip}:{API_PORT}", "certificate-authority": str(pki / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "node",
        "clusters": [{"name": "node", "cluster": cluster}],
        "users": [{"name": "node", "user": client_certificate(pki, "node")}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": "node"}}],
    }
