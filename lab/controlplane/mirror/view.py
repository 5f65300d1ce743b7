"""What one link's controller sees of both clusters; shared by the parts of its watcher, which only read it.

Only the gateway's state is written, by gateway.py.
"""

from dataclasses import dataclass, field

from lab.controlplane.mirror import desired
from lab.controlplane.mirror.desired import Gateway
from lab.controlplane.mirror.labels import MIRRORED_SERVICE
from lab.controlplane.mirror.link import Link
from lab.controlplane.mirror.probe import Profile
from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import ENDPOINTS, LINKS, NAMESPACES, SERVICES
from lab.kube.objects import Object


@dataclass(frozen=True)
class Clusters:
    """Clients of the source (here) and the target (remote) cluster."""

    local: Client
    remote: Client


@dataclass
class Local:
    """What this cluster has."""

    services: Informer
    endpoints: Informer
    namespaces: Informer
    links: Informer

    @classmethod
    def of(cls, client: Client, link: Link) -> "Local":
        mirrored = f"{MIRRORED_SERVICE}=true"
        return cls(
            Informer(client, SERVICES, labels=mirrored),
            Informer(client, ENDPOINTS, labels=mirrored),
            Informer(client, NAMESPACES),
            Informer(client, LINKS, link.namespace),
        )

    def all(self) -> tuple[Informer, ...]:
        return self.services, self.endpoints, self.namespaces, self.links


@dataclass
class View:
    """Both clusters through informers, the link, and what is known of the gateway."""

    link: Link
    clusters: Clusters
    profile: Profile
    gateway: Gateway = field(default_factory=Gateway)

    def __post_init__(self) -> None:
        self.local = Local.of(self.clusters.local, self.link)
        self.remote_services = Informer(self.clusters.remote, SERVICES)
        self.remote_endpoints = Informer(self.clusters.remote, ENDPOINTS)
        self.gateway = Gateway(alive=self.profile.first_belief)

    def gateway_for(self, endpoints: Object | None) -> Gateway:
        """The gateway as these Endpoints must show it.

        Without a verdict yet after a start, what the predecessor found stays until there is one.
        """
        if self.gateway.alive is None and desired.is_dead(endpoints):
            return Gateway(self.gateway.addresses, alive=False)
        return self.gateway

    def informers(self) -> tuple[Informer, ...]:
        return (*self.local.all(), self.remote_services, self.remote_endpoints)

    def is_remote_known(self) -> bool:
        """Whether the remote cluster has been listed since the start."""
        return self.remote_services.synced.is_set() and self.remote_endpoints.synced.is_set()

    def concerns(self, remote: Object | None) -> bool:
        """Whether the link exports a remote Service in any mode."""
        return remote is not None and (
            desired.mode_of(remote, self.link) is not None or desired.is_member(remote, self.link)
        )
