"""What engine `existing` must know of a topology: where its clusters are, and what the lab brings there.
Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.topology.links import directed_links
from lab.topology.model import APP_SERVICES, MeshProvider, Topology


@dataclass(frozen=True)
class Reach:
    """Where a cluster is: a context, the file it is in ("" for what kubectl would read), and the URL at which
    pods of other clusters reach its API server ("" for that of the context)."""

    context: str
    kubeconfig: str = ""
    api: str = ""


@dataclass(frozen=True)
class Visit:
    """`linked` are the clusters whose API servers pods of others must reach, as the lab links to them;
    `workloads` the Deployments of apps and traffic by namespace; `apps_image` is "" where the topology names
    none."""

    reach: Mapping[str, Reach] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()
    workloads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mesh: MeshProvider = "lab"
    apps_image: str = ""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where apps and traffic live."""
        return tuple(self.workloads)


def visit(topology: Topology) -> Visit:
    """The visit of a checked topology."""
    links = directed_links(topology) if topology.mesh.provider == "lab" else ()
    return Visit(
        reach={
            name: Reach(one.context or name, one.kubeconfig or "", one.api or "")
            for name, one in topology.clusters.items()
        },
        linked=frozenset(link.target for link in links),
        workloads={**{app.app: APP_SERVICES[app.app] for app in topology.apps}, "traffic": ("loadgen",)},
        mesh=topology.mesh.provider,
        apps_image=topology.apps_image or "",
    )
