"""A topology → every address and name of the lab, fixed before anything runs.

Engines, the mesh installer and status all read this one plan, so an address is decided once. Pure:
the same topology always gives the same plan, and a cluster keeps its addresses while its position
in the file stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from lab.plan.visit import Visit, visit
from lab.topology.links import Wan, directed_links, wans
from lab.topology.model import Kind, Topology
from lab.topology.ranges import lab_range, pod_ranges, service_ranges

CLUSTER_DOMAIN = "cluster.local"
TRUST_DOMAIN = "cluster.local"

_FIRST_NODE, _API_SERVICE, _DNS = 10, 1, 10


@dataclass(frozen=True)
class ClusterPlan:
    """One cluster's names and addresses."""

    name: str
    index: int
    node_name: str
    node_ip: str
    pod_cidr: str
    service_cidr: str
    dns_ip: str
    api_service_ip: str
    cluster_domain: str
    trust_domain: str
    network: str


@dataclass(frozen=True)
class LabPlan:
    """The lab's names and addresses. `flat_pairs` are the clusters whose pods reach each other; `wans` says
    what packets from one cluster to another suffer, by (source, target); `nodes` how many a cluster has;
    `visit` what engine `existing` must know."""

    name: str
    lab_cidr: str
    clusters: tuple[ClusterPlan, ...]
    flat_pairs: tuple[tuple[str, str], ...]
    images: Mapping[str, tuple[str, ...]]
    wans: Mapping[tuple[str, str], Wan]
    nodes: Mapping[str, int] = field(default_factory=dict)
    kind: Kind = field(default_factory=Kind)
    visit: Visit = field(default_factory=Visit)

    def cluster(self, name: str) -> ClusterPlan:
        """The plan of one cluster; KeyError when the topology has none of that name."""
        for cluster in self.clusters:
            if cluster.name == name:
                return cluster
        raise KeyError(name)


def addresses(topology: Topology) -> LabPlan:
    """The plan of a checked topology."""
    pods, services, between = pod_ranges(topology), service_ranges(topology), lab_range(topology)
    clusters = tuple(
        ClusterPlan(
            name=name,
            index=index,
            node_name=f"{name}-node",
            node_ip=_nth(between, _FIRST_NODE + index),
            pod_cidr=str(pods[name]),
            service_cidr=str(services[name]),
            dns_ip=_nth(services[name], _DNS),
            api_service_ip=_nth(services[name], _API_SERVICE),
            cluster_domain=CLUSTER_DOMAIN,
            trust_domain=TRUST_DOMAIN,
            network=topology.network_of(name),
        )
        for index, name in enumerate(topology.clusters)
    )
    return LabPlan(
        name=topology.name,
        lab_cidr=str(between),
        clusters=clusters,
        flat_pairs=flat_pairs(topology),
        images=dict(topology.images),
        wans=wans(topology),
        nodes={name: topology.nodes_of(name) for name in topology.clusters},
        kind=topology.kind,
        visit=visit(topology),
    )


def flat_pairs(topology: Topology) -> tuple[tuple[str, str], ...]:
    """Clusters joined by a link that carries flat or federated, each pair once, in file order."""
    order = list(topology.clusters)
    pairs: dict[tuple[str, str], None] = {}
    for link in directed_links(topology):
        if link.crosses_pods:
            first, second = sorted((link.source, link.target), key=order.index)
            pairs[first, second] = None
    return tuple(pairs)


def _nth(network: IPv4Network, offset: int) -> str:
    return str(network[offset])
