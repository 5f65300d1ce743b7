"""The collections that controllers follow, each watched once and shared by all of them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from lab.kube.client import Client
from lab.kube.informer import Informer
from lab.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)


@dataclass(frozen=True)
class Watches:
    """Local copies; every controller subscribes to what it needs."""

    config_maps: Informer
    deployments: Informer
    endpoint_slices: Informer
    endpoints: Informer
    namespaces: Informer
    nodes: Informer
    pods: Informer
    replica_sets: Informer
    secrets: Informer
    service_accounts: Informer
    services: Informer

    @classmethod
    def of(cls, client: Client) -> "Watches":
        return cls(
            config_maps=Informer(client, CONFIG_MAPS),
            deployments=Informer(client, DEPLOYMENTS),
            endpoint_slices=Informer(client, ENDPOINT_SLICES),
            endpoints=Informer(client, ENDPOINTS),
            namespaces=Informer(client, NAMESPACES),
            nodes=Informer(client, NODES),
            pods=Informer(client, PODS),
            replica_sets=Informer(client, REPLICA_SETS),
            secrets=Informer(client, SECRETS),
            service_accounts=Informer(client, SERVICE_ACCOUNTS),
            services=Informer(client, SERVICES),
        )

    def __iter__(self) -> Iterator[Informer]:
        return (getattr(self, field.name) for field in fields(self))
