"""Real Linkerd in clusters of any engine: asks the clusters what they have, and performs the plan.

Programs render, the lab applies; see `acts`. Clusters are independent; two acts on one cluster's extension
are not, so there is a lock for each.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from lab.base import process
from lab.base.concurrent import together
from lab.base.errors import EngineUnavailable, UsageError
from lab.base.state import LabDir
from lab.controlplane.identity.certificates import Pair
from lab.kube import record
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import LINKS, LINKS_2_14, SERVICES
from lab.kube.kubeconfig import entries
from lab.kube.objects import Object, labels, spec
from lab.mesh.builtin import checks as builtin_checks
from lab.mesh.builtin.link_objects import NAMESPACE
from lab.mesh.linkerd import checks, find, plan, programs
from lab.mesh.linkerd.acts import Act, Place
from lab.mesh.linkerd.perform import perform
from lab.mesh.linkerd.plan import Found
from lab.mesh.linkerd.preview import preview
from lab.mesh.linkerd.programs import EXTENSION, Program, Settings
from lab.mesh.protocol import Finding, LinkSpec, LinkState, MeshCluster, Say, Task, silent
from lab.mesh.specs import has_gateway, link_spec, link_state, links_from
from lab.mesh.trust import lab_anchor
from lab.plan.desired import digest
from lab.topology.model import Topology

CHECK_WAIT = 5
"""Seconds that a check waits for what is not ready yet."""
CHECK_SECONDS = 60.0


class LinkerdMesh:
    """Implements lab.mesh.protocol.Mesh for one lab; `say` hears of every command."""

    def __init__(self, lab: LabDir, topology: Topology, say: Say = silent) -> None:
        self._lab, self._topology, self._say = lab, topology, say
        self._known: Program | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        if topology.mesh.emulate:
            raise UsageError(
                f"mesh.emulate ({', '.join(topology.mesh.emulate)}): Linkerd has the bugs of its version",
                remedy="leave it out and choose mesh.version, or use `--engine embedded`",
            )

    @cached_property
    def _anchor(self) -> Pair:
        """Made when it is needed first: a plan alone makes nothing."""
        return lab_anchor(self._lab)

    async def available(self) -> None:
        await self._program()

    async def install(self, cluster: MeshCluster) -> None:
        """Install, or bring to this program's release; returns when the control plane runs."""
        program = await self._program()
        async with self._locks[cluster.name]:
            found = await find.survey(cluster.client, self._anchor)
            settings = self._settings(cluster.name)
            await self._perform(plan.install(program, self._place(cluster.name), settings, found), [cluster])
            await self._note_extension(program, cluster)

    async def ready(self, cluster: MeshCluster) -> list[Finding]:
        """One finding per Deployment of the mesh."""
        return await builtin_checks.deployments(cluster)

    async def link(self, source: MeshCluster, target: MeshCluster, spec: LinkSpec) -> None:
        """Mirror the target's exported services in the source, once both have the extension for it."""
        program = await self._program()
        await together(self._extend(program, source), self._extend(program, target))
        ends = self._place(source.name), replace(self._place(target.name), api=target.api_url)
        await self._perform(plan.link(program, *ends, spec, target.gateway_addresses), [source, target])

    async def unlink(self, source: MeshCluster, target: str) -> None:
        """Take the link's controller away, then the link, then the mirrors that both leave."""
        await self._extend(await self._program(), source)
        await self._perform(plan.unlink(self._place(source.name), target), [source])

    async def links(self, source: MeshCluster) -> list[LinkState]:
        """Read from the Link objects."""
        found = await _links(source.client)
        mirrors = await source.client.list(SERVICES, labels="mirror.linkerd.io/mirrored-service=true")
        counts = [labels(mirror).get("mirror.linkerd.io/cluster-name") for mirror in mirrors]
        return [
            link_state(source.name, link, counts.count(spec(link).get("targetClusterName"))) for link in found
        ]

    async def check(self, clusters: Sequence[MeshCluster]) -> list[Finding]:
        """What `linkerd check` says of each cluster; without the CLI, the lab's own checks of the same."""
        program = await self._program()
        if program.kind == "helm":
            found = await together(*(builtin_checks.cluster(c, self._anchor, clusters) for c in clusters))
        else:
            found = await together(*(self._check(program, cluster.name) for cluster in clusters))
        return [finding for answer in found for finding in answer]

    async def commands(self, tasks: Sequence[Task], clients: Mapping[str, Client]) -> list[tuple[str, str]]:
        """The lines of what each task would do now; for the program that would be fetched if none is here."""
        try:
            program = await self._program()
        except EngineUnavailable:
            program = find.pinned(self._topology.mesh.version)
        acts: list[Act] = []
        for task in tasks:
            acts += await self._acts_of(task, program, clients)
        return list(dict.fromkeys((act.where.name, act.line) for act in acts))

    async def preview(self, cluster: str) -> list[Object]:
        """Rendered by the program that would install it."""
        return await preview(await self._program(), cluster, self._settings(cluster))

    async def _acts_of(self, task: Task, program: Program, clients: Mapping[str, Client]) -> list[Act]:
        place = self._place(task.clusters[0])
        if task.what == "install":
            client = clients.get(place.name)
            found = await find.survey(client, self._anchor) if client else Found()
            return list(plan.install(program, place, self._settings(place.name), found))
        acts: list[Act] = []
        for cluster in task.clusters:
            if cluster in clients and await self._is_outdated(program, cluster, clients[cluster]):
                acts += plan.extension(program, self._place(cluster), self._settings(cluster))
        source, target = task.clusters
        if task.what == "unlink":
            return [*acts, *plan.unlink(place, target)]
        wanted = link_spec(self._topology, source, target)
        return [*acts, *plan.link(program, place, self._place(target), wanted)]

    async def _check(self, program: Program, cluster: str) -> list[Finding]:
        argv = programs.check(program, self._place(cluster), CHECK_WAIT)
        said = await process.run(argv, timeout=CHECK_SECONDS, check=False)
        return checks.findings(said.stdout or said.stderr, cluster)

    async def _program(self) -> Program:
        if self._known is None:
            self._known = await find.program(self._topology.mesh.version)
        return self._known

    async def _extend(self, program: Program, cluster: MeshCluster) -> None:
        """Give the cluster's extension the gateway and the controllers that the topology wants now."""
        async with self._locks[cluster.name]:
            if not await self._is_outdated(program, cluster.name, cluster.client):
                return
            place, settings = self._place(cluster.name), self._settings(cluster.name)
            await self._perform(plan.extension(program, place, settings), [cluster])
            await self._note_extension(program, cluster)

    async def _is_outdated(self, program: Program, cluster: str, client: Client) -> bool:
        return (await record.read(client)).get(EXTENSION) != self._extension(program, cluster)

    async def _note_extension(self, program: Program, cluster: MeshCluster) -> None:
        await record.note(cluster.client, {EXTENSION: self._extension(program, cluster.name)})

    def _extension(self, program: Program, cluster: str) -> str:
        """What tells one extension from another: the release, and what it was rendered with."""
        argv = programs.multicluster(program, self._place(cluster), self._settings(cluster))
        return f"{program.release} {digest(argv)}"

    async def _perform(self, acts: Iterable[Act], clusters: Iterable[MeshCluster]) -> None:
        there = {cluster.name: cluster for cluster in clusters}
        for act in acts:
            self._say(act.where.name, act.line)
            await perform(act, there, self._anchor)

    def _settings(self, cluster: str) -> Settings:
        return Settings(has_gateway(self._topology, cluster), links_from(self._topology, cluster))

    def _place(self, cluster: str) -> Place:
        context = self._lab.context(cluster)
        known = entries(self._lab.inside_kubeconfig).get(context)
        api = known["cluster"]["cluster"]["server"] if known else f"https://<address of {cluster}>:6443"
        return Place(cluster, self._lab.kubeconfig, context, self._lab.pki, api)


async def _links(client: Client) -> list[Object]:
    for kind in (LINKS, LINKS_2_14):
        try:
            return await client.list(kind, NAMESPACE)
        except NotFound:
            continue
    return []
