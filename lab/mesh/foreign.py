"""Meshes that the lab does not install: none at all, or one that somebody else has installed and linked.

Neither is ever changed. What the topology asks for and is not there is an error that says how its owner
makes it.
"""

from collections.abc import Mapping, Sequence

from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.kube import objects
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import DEPLOYMENTS, LINKS, LINKS_2_14
from lab.kube.links import link_target, modes_of
from lab.kube.objects import Object
from lab.mesh.linkerd.uninstall import uninstall
from lab.mesh.protocol import Finding, LinkSpec, LinkState, MeshCluster, Task

NAMESPACE = "linkerd"


class NoMesh:
    """Implements lab.mesh.protocol.Mesh for clusters without one."""

    def __init__(self, lab: LabDir) -> None:
        self._lab = lab

    async def available(self) -> None:
        """Nothing is needed."""

    async def install(self, cluster: MeshCluster) -> None:
        """Take out the mesh that the lab had here before, if its topology asked for one."""
        await uninstall(cluster, self._lab)

    async def ready(self, cluster: MeshCluster) -> list[Finding]:
        return []

    async def link(self, source: MeshCluster, target: MeshCluster, spec: LinkSpec) -> None:
        raise LabError(f"{source.name} -> {target.name}: nothing links clusters without a mesh")

    async def unlink(self, source: MeshCluster, target: str) -> None:
        """Nothing to do."""

    async def links(self, source: MeshCluster) -> list[LinkState]:
        return []

    async def check(self, clusters: Sequence[MeshCluster]) -> list[Finding]:
        return []

    async def preview(self, cluster: str) -> list[Object]:
        return []

    async def commands(self, tasks: Sequence[Task], clients: Mapping[str, Client]) -> list[tuple[str, str]]:
        return []


class UsersMesh(NoMesh):
    """A mesh that is there already: looked at, and left alone."""

    async def install(self, cluster: MeshCluster) -> None:
        """Raises LabError unless the mesh works."""
        if bad := [finding for finding in await self.ready(cluster) if not finding.ok]:
            said = "; ".join(f"{finding.where}: {finding.seen}" for finding in bad)
            raise LabError(f"the mesh in {cluster.name} does not work: {said}", remedy=bad[0].remedy)

    async def ready(self, cluster: MeshCluster) -> list[Finding]:
        """One finding per Deployment of the control plane."""
        found = await cluster.client.list(DEPLOYMENTS, NAMESPACE)
        if not found:
            seen = f"namespace {NAMESPACE} has no Deployment"
            return [
                Finding("control plane", cluster.name, False, seen, "install the mesh, or let the lab do it")
            ]
        return [
            Finding(
                "control plane",
                f"{cluster.name}/{NAMESPACE}/{objects.name(one)}",
                bool(objects.status(one).get("readyReplicas")),
                f"{objects.status(one).get('readyReplicas', 0)} replicas ready",
                "`linkerd check` in that cluster",
            )
            for one in found
        ]

    async def link(self, source: MeshCluster, target: MeshCluster, spec: LinkSpec) -> None:
        """Raises LabError unless a link is there that carries as much."""
        seen: list[str] = []
        for kind in (LINKS, LINKS_2_14):
            try:
                links = await source.client.list(kind)
            except NotFound:
                continue
            if any(link_target(one) == target.name and spec.modes <= set(modes_of(one)) for one in links):
                return
            seen += [f"{link_target(one)} ({', '.join(modes_of(one))})" for one in links]
        wanted, there = ", ".join(sorted(spec.modes)), "; ".join(dict.fromkeys(seen)) or "none"
        raise LabError(
            f"{source.name} has no Link to {target.name} that carries {wanted}; links there: {there}",
            remedy="the topology says `mesh: user`, so the lab makes none: link them, with"
            f" targetClusterName {target.name}",
        )
