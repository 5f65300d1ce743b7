"""Brings a lab's sandbox and clusters in line with the plan; the order of steps is `bring_up`.

What is there already is compared with the plan and left alone if it fits. API servers boot while init
imports what the later programs need. Clusters that a fault holds down are neither touched nor waited for.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import yaml

from lab.base.concurrent import together
from lab.base.errors import LabError, TimedOut
from lab.base.log import get_logger
from lab.base.state import LabDir, make_private, write_private
from lab.base.wait import until
from lab.engines.embedded import images, kubeconfig, pki, sandbox
from lab.engines.embedded.control import Control
from lab.engines.embedded.wan.change import change
from lab.engines.embedded.wan.paths import Layer
from lab.engines.protocol import Progress
from lab.kube.client import Client, Request
from lab.plan.addresses import ClusterPlan, LabPlan

API_PORT = 6443
API_SECONDS = 30.0
LEAST_DISK = 16 << 20
API_ENTRY = "lab.pocket.apiserver.main:main"
NODE_ENTRY = "lab.engines.embedded.nodeproc:main"
WARM_FIRST = ("lab.pocket.apiserver.main",)
WARM_LATER = ("lab.engines.embedded.nodeproc",)
# What pods will run. None of it starts a thread when imported: gRPC does so with its first channel or server.
WARM_LAST = (
    "lab.controlplane.identity.main",
    "lab.controlplane.inject.main",
    "lab.controlplane.inject.capture",
    "lab.controlplane.mirror.main",
    "lab.controlplane.mirror.local",
    "lab.controlplane.proxy.main",
    "lab.controlplane.destination.main",
    "lab.apps.catalog",
    "lab.apps.client",
    "lab.apps.front",
    "lab.apps.loadgen.program",
    "lab.apps.stock",
)
PASSED_ON = ("PATH", "HOME", "LANG", "LAB_HOME", "TZ")
log = get_logger(__name__)


async def bring_up(lab: LabDir, plan: LabPlan, progress: Progress) -> None:
    """Make the lab's clusters exist and answer."""
    lab = LabDir(make_private(lab.root).resolve())
    _refuse_full_disk(lab)
    if sandbox.running(lab) is None:
        progress("lab", "starting the sandbox")
    keys = asyncio.gather(*(asyncio.to_thread(_make_files, lab, c) for c in plan.clusters))
    await asyncio.gather(sandbox.start(lab), keys)
    async with Control.connect(lab) as control:
        await _configure(lab, plan, control)
        present = await _fit_clusters(lab, plan, control, progress)
        kubeconfig.write(lab, {c.name: _servers(c, present[c.name]["port"]) for c in plan.clusters})
        await _set_routes(plan, control)
        await change(
            control, lambda before: (*link_layers(plan), *(one for one in before if not one.of_link))
        )
        await _start_programs(lab, plan, control, progress)


def _refuse_full_disk(lab: LabDir) -> None:
    """A program without room for its log could not even say why it ends: refuse before there are any."""
    free = shutil.disk_usage(lab.root).free
    if free < LEAST_DISK:
        raise LabError(
            f"only {free / 2**20:.1f} MiB free in {lab.root}; a lab needs {LEAST_DISK >> 20} MiB",
            remedy="free some space or set LAB_HOME to a folder on another disk",
        )


async def _start_programs(lab: LabDir, plan: LabPlan, control: Control, progress: Progress) -> None:
    seen = await control.call("list")
    known = {row["key"]: row["state"] for row in seen["components"]}
    held = {row["name"] for row in seen["clusters"] if row["paused"]}
    held |= {c.name for c in plan.clusters if known.get(f"{c.name}/apiserver") == "stopped"}
    fresh = [c for c in plan.clusters if f"{c.name}/apiserver" not in known]
    if fresh:
        await control.call("warm", modules=WARM_FIRST)
    for cluster in fresh:
        progress(cluster.name, "starting the API server")
        await control.call("start-component", **_api_server(lab, cluster))
    starting = any(f"{c.name}/node" not in known for c in plan.clusters)
    if starting:
        await control.call("warm", modules=WARM_LATER)

    async def finish(cluster: ClusterPlan) -> None:
        await _wait_for_api(lab, cluster.name)
        if f"{cluster.name}/node" not in known:
            progress(cluster.name, "starting the node")
            await control.call("start-component", **_node(lab, cluster))
            progress(cluster.name, "node started")

    await together(*(finish(cluster) for cluster in plan.clusters if cluster.name not in held))
    if starting:
        await control.call("warm", modules=WARM_LAST, later=True)


async def _configure(lab: LabDir, plan: LabPlan, control: Control) -> None:
    bin_folder = make_private(lab.root / "bin")
    for name, program in images.COMMANDS.items():
        write_private(bin_folder / name, images.script(program, sys.executable), mode=0o700)
    path = f"{bin_folder}:{os.environ.get('PATH', os.defpath)}"
    mapped = {pattern: list(argv) for pattern, argv in plan.images.items()}
    await control.call("configure", images=mapped, keep_paths=sandbox.keep_paths(lab), path=path)


async def _fit_clusters(
    lab: LabDir, plan: LabPlan, control: Control, progress: Progress
) -> Mapping[str, Mapping[str, Any]]:
    """Remove clusters that must not be there, or not so, and add those that miss; returns all."""
    wanted = {cluster.name: asdict(cluster) for cluster in plan.clusters}
    for row in (await control.call("list"))["clusters"]:
        if wanted.get(row["name"]) != row["plan"]:
            progress(row["name"], "stopping")
            await control.call("remove-cluster", cluster=row["name"])
    present = {row["name"] for row in (await control.call("list"))["clusters"]}
    for cluster in plan.clusters:
        if cluster.name not in present:
            progress(cluster.name, "creating the network")
            await _add_cluster(lab, cluster, control)
    return {row["name"]: row for row in (await control.call("list"))["clusters"]}


async def _add_cluster(lab: LabDir, cluster: ClusterPlan, control: Control) -> None:
    with _listener(lab, cluster.name) as listener:
        await control.call_with_fds("add-cluster", (listener.fileno(),), plan=asdict(cluster))


def _servers(cluster: ClusterPlan, port: int) -> tuple[str, str]:
    """Where its API server is reached from this machine, and from other clusters."""
    return f"https://127.0.0.1:{port}", f"https://{cluster.node_ip}:{API_PORT}"


def _listener(lab: LabDir, cluster: str) -> socket.socket:
    """The API server's port on the host: the one it had before if that is free."""
    memory = lab.cluster(cluster).root / "port"
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", int(memory.read_text()) if memory.exists() else 0))
    except (OSError, ValueError) as error:
        log.warning("API server gets another port", cluster=cluster, was=memory.read_text(), error=error)
        listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    write_private(memory, str(listener.getsockname()[1]))
    return listener


def _make_files(lab: LabDir, cluster: ClusterPlan) -> None:
    folder = lab.cluster(cluster.name)
    for each in (folder.root, folder.pods):
        make_private(each)
    pki.ensure(folder.pki, cluster)


async def _set_routes(plan: LabPlan, control: Control) -> None:
    """Pod networks reach each other directly exactly where a link wants it."""
    for cluster in plan.clusters:
        arguments = {"cluster": cluster.name, "routes": flat_routes(plan, cluster.name)}
        await control.call("network", function="set_routes", arguments=arguments)


def flat_routes(plan: LabPlan, cluster: str) -> dict[str, str]:
    """Remote pod network -> node address, for one cluster."""
    peers = {
        second if first == cluster else first
        for first, second in plan.flat_pairs
        if cluster in (first, second)
    }
    return {plan.cluster(peer).pod_cidr: plan.cluster(peer).node_ip for peer in sorted(peers)}


def link_layers(plan: LabPlan) -> list[Layer]:
    """What the topology's links ask of the network between clusters."""
    return [
        Layer(source, target, tuple(sorted(wan.set_values().items())), of_link=True)
        for (source, target), wan in plan.wans.items()
    ]


async def _wait_for_api(lab: LabDir, cluster: str) -> None:
    async with await Client.from_kubeconfig(lab.kubeconfig, lab.context(cluster)) as client:

        async def answers() -> bool:
            return await client.raw(Request("GET", "/readyz", timeout=2.0)) is not None

        try:
            await until(answers, timeout=API_SECONDS, what=f"API server of {cluster}", every=0.02)
        except TimedOut as error:
            file = lab.logs / f"{cluster}-apiserver.log"
            raise LabError(f"{error}\n{sandbox.log_tail(file)}", remedy=f"see {file}") from error


def _api_server(lab: LabDir, cluster: ClusterPlan) -> dict[str, Any]:
    folder = lab.cluster(cluster.name)
    endpoint = f"{cluster.node_ip}:{API_PORT}"
    flags = {
        "--name": cluster.name,
        "--data": str(folder.root),
        "--pki": str(folder.pki),
        "--listen": endpoint,
        "--listen-fd": "{fd}",
        "--kubelet-socket": str(folder.kubelet_socket),
        "--service-cidr": cluster.service_cidr,
        "--kubernetes-endpoint": endpoint,
        "--cache": str(lab.root / "cache"),
    }
    argv = [word for pair in flags.items() for word in pair]
    return _component(cluster.name, "apiserver", API_ENTRY, argv) | {"listener": True}


def _node(lab: LabDir, cluster: ClusterPlan) -> dict[str, Any]:
    argv = ["--lab", str(lab.root), "--plan", yaml.safe_dump(asdict(cluster))]
    return _component(cluster.name, "node", NODE_ENTRY, argv)


def _component(cluster: str, name: str, entry: str, argv: Sequence[str]) -> dict[str, Any]:
    env = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    return {"cluster": cluster, "name": name, "entry": entry, "argv": list(argv), "env": env}
