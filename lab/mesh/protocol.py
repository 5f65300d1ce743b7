"""What the lab asks of a mesh, whichever it is: install it, link clusters, say how it is.

`builtin` is the embedded mesh; real Linkerd, driven by its own CLI, implements the same. All methods
converge: they may be called again and again, and only what differs is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lab.kube.client import Client
from lab.kube.objects import Object

Mode = Literal["gateway", "flat", "federated"]
TaskName = Literal["install", "link", "unlink"]
Say = Callable[[str, str], None]
"""Called with where (a cluster) and what is happening there."""


def silent(where: str, what: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class MeshCluster:
    """One cluster as the mesh sees it.

    `api_url` and `api_ca` (PEM) are how *pods of other clusters* reach this cluster's API server.
    `gateway_addresses` stand in for a load balancer where the cluster has none; an engine gives them.
    """

    name: str
    client: Client
    api_url: str
    api_ca: str
    gateway_addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinkSpec:
    """What a link carries; a service's own label decides which mode it uses."""

    modes: frozenset[Mode] = frozenset({"gateway", "flat", "federated"})
    excluded_labels: tuple[str, ...] = ()
    excluded_annotations: tuple[str, ...] = ()
    headless: bool = False
    creates_namespaces: bool = False
    emulate: tuple[str, ...] = ()

    @property
    def has_gateway(self) -> bool:
        return "gateway" in self.modes


@dataclass(frozen=True)
class LinkState:
    """A link as it stands in its source cluster; `alive` is None when nothing probes it."""

    source: str
    target: str
    spec: LinkSpec
    gateway_addresses: tuple[str, ...] = ()
    mirrors: int = 0


@dataclass(frozen=True)
class Finding:
    """One answer of check(): what was looked at, where, whether it holds, and if not what to do.

    A warning holds, and yet has something to say.
    """

    check: str
    where: str
    ok: bool
    seen: str = ""
    remedy: str = ""
    is_warning: bool = False


@dataclass(frozen=True)
class Task:
    """Something that `up` will ask of the mesh: install in (cluster,), link or unlink (source, target)."""

    what: TaskName
    clusters: tuple[str, ...]


class Mesh(Protocol):
    """A mesh that can be installed into clusters and link them."""

    async def available(self) -> None:
        """Raises EngineUnavailable where a program is missing that the mesh is installed with."""

    async def install(self, cluster: MeshCluster) -> None:
        """Install the control plane and the multicluster extension; returns when pods can be injected."""

    async def ready(self, cluster: MeshCluster) -> list[Finding]:
        """Whether each component runs; all findings ok = the cluster can carry meshed traffic."""

    async def link(self, source: MeshCluster, target: MeshCluster, spec: LinkSpec) -> None:
        """Mirror the target's exported services in the source cluster."""

    async def unlink(self, source: MeshCluster, target: str) -> None:
        """Remove a link with everything it made, also when the target is gone."""

    async def links(self, source: MeshCluster) -> list[LinkState]:
        """The links of a source cluster."""

    async def check(self, clusters: Sequence[MeshCluster]) -> list[Finding]:
        """Everything that must hold for links to work, over all clusters."""
        ...

    async def preview(self, cluster: str) -> list[Object]:
        """Everything that installing and linking would make in a cluster without a mesh, for plans.

        Raises LabError where that cannot be said, such as without the program that installs it.
        """

    async def commands(self, tasks: Sequence[Task], clients: Mapping[str, Client]) -> list[tuple[str, str]]:
        """(where, command line) of everything that these tasks would run now; `clients` are those of clusters
        that are there already. A mesh that runs no programs of others has none."""
        ...


@dataclass(frozen=True)
class MeshVersion:
    """Which behaviour is wanted: "latest" or "2.14", and which bugs (`lab.topology.bugs`)."""

    profile: Literal["latest", "2.14"] = "latest"
    proxy_image: str = field(default="multicluster.lab/proxy")
    emulate: tuple[str, ...] = ()
