"""The node's own objects: its Node with addresses, capacity and Ready, and the Lease it renews."""

import platform
from typing import Any

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.wait import Backoff, pause
from lab.kube.client import Client
from lab.kube.errors import AlreadyExists, NotFound
from lab.kube.kinds import LEASES, NODES
from lab.kube.objects import Object, now, now_micro
from lab.pocket.node.config import NodeConfig
from lab.pocket.node.fields import machine

log = get_logger(__name__)
LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_EVERY = 10.0
HEARTBEAT_EVERY = 30
"""Node status is refreshed once per so many lease renewals (five minutes, as upstream)."""
VERSION = "v1.34.0+lab"


async def run(config: NodeConfig, client: Client) -> None:
    """Register, then renew until cancelled; an absent API server is waited for."""
    backoff, beats = Backoff(0.05, 2.0), 0
    while True:
        try:
            if beats % HEARTBEAT_EVERY == 0:
                await _register(config, client)
            await _renew(config, client)
            beats += 1
            backoff.reset()
            await pause(RENEW_EVERY)
        except LabError as error:
            log.info("node not registered yet", node=config.name, error=error)
            beats = 0
            await backoff.pause()


def node_object(config: NodeConfig) -> Object:
    """The Node as it is created."""
    zone = config.zone or config.cluster
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": config.name,
            "labels": {
                "kubernetes.io/hostname": config.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": _architecture(),
                "topology.kubernetes.io/region": config.cluster,
                "topology.kubernetes.io/zone": zone,
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {"podCIDR": config.pod_cidr, "podCIDRs": [config.pod_cidr]},
    }


def node_status(config: NodeConfig, since: str) -> dict[str, Any]:
    """The Node's status; `since` is when it became ready."""
    capacity = machine()
    healthy = {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
    }
    if config.why_no_limits:
        text = f"limits of containers are shown, but not enforced: {config.why_no_limits}"
        healthy["LimitsNotEnforced"] = ("True", "NoControlGroups", text)
    return {
        "addresses": [
            {"type": "InternalIP", "address": config.ip},
            {"type": "Hostname", "address": config.name},
        ],
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now(),
                "lastTransitionTime": since,
            }
            for kind, (status, reason, message) in healthy.items()
        ],
        "nodeInfo": {
            "machineID": config.name,
            "systemUUID": config.name,
            "bootID": config.name,
            "kernelVersion": platform.release(),
            "osImage": "multicluster-lab",
            "containerRuntimeVersion": "pocket://0.1",
            "kubeletVersion": VERSION,
            "kubeProxyVersion": VERSION,
            "operatingSystem": "linux",
            "architecture": _architecture(),
        },
    }


async def _register(config: NodeConfig, client: Client) -> None:
    try:
        node = await client.create(NODES, {**node_object(config), "status": node_status(config, now())})
    except AlreadyExists:
        node = await client.get(NODES, config.name)
    ready: dict[str, Any] = next(
        (c for c in (node.get("status") or {}).get("conditions") or () if c["type"] == "Ready"), {}
    )
    since = ready.get("lastTransitionTime") if ready.get("status") == "True" else None
    await client.patch(NODES, config.name, {"status": node_status(config, since or now())}, sub="status")


async def _renew(config: NodeConfig, client: Client) -> None:
    spec = {
        "holderIdentity": config.name,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": now_micro(),
    }
    try:
        await client.patch(LEASES, config.name, {"spec": spec}, LEASE_NAMESPACE)
    except NotFound:
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": config.name, "namespace": LEASE_NAMESPACE},
            "spec": spec,
        }
        await client.create(LEASES, lease, LEASE_NAMESPACE)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
