"""The collections that controllers follow, each watched once and shared by all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import (
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
)


@dataclass(frozen=True)
class Watches:
    """Local copies; every controller subscribes to what it needs."""

    cluster_roles: Informer
    config_maps: Informer
    controller_revisions: Informer
    daemon_sets: Informer
    deployments: Informer
    endpoint_slices: Informer
    endpoints: Informer
    jobs: Informer
    leases: Informer
    namespaces: Informer
    nodes: Informer
    persistent_volume_claims: Informer
    pods: Informer
    replica_sets: Informer
    secrets: Informer
    service_accounts: Informer
    services: Informer
    stateful_sets: Informer

    @classmethod
    def of(cls, client: Client) -> "Watches":
        return cls(
            cluster_roles=Informer(client, CLUSTER_ROLES),
            config_maps=Informer(client, CONFIG_MAPS),
            controller_revisions=Informer(client, CONTROLLER_REVISIONS),
            daemon_sets=Informer(client, DAEMON_SETS),
            deployments=Informer(client, DEPLOYMENTS),
            endpoint_slices=Informer(client, ENDPOINT_SLICES),
            endpoints=Informer(client, ENDPOINTS),
            jobs=Informer(client, JOBS),
            leases=Informer(client, LEASES),
            namespaces=Informer(client, NAMESPACES),
            nodes=Informer(client, NODES),
            persistent_volume_claims=Informer(client, PERSISTENT_VOLUME_CLAIMS),
            pods=Informer(client, PODS),
            replica_sets=Informer(client, REPLICA_SETS),
            secrets=Informer(client, SECRETS),
            service_accounts=Informer(client, SERVICE_ACCOUNTS),
            services=Informer(client, SERVICES),
            stateful_sets=Informer(client, STATEFUL_SETS),
        )

    def __iter__(self) -> Iterator[Informer]:
        return (getattr(self, field.name) for field in fields(self))
