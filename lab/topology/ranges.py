"""Which address ranges a topology's clusters have, whether written in the file or given by position.

Checks need them before there is a plan; `lab.plan.addresses` builds on them. Pure.
"""

from ipaddress import IPv4Network

from lab.topology.model import Topology

# The network that stands for the wire between clusters: every node has one address on it.
LAB_NETWORK = IPv4Network("172.28.0.0/16")
# More do not fit into the position scheme below.
MAX_CLUSTERS = 60

_FIRST_PODS, _FIRST_SERVICES = 20, 120


def lab_range(topology: Topology) -> IPv4Network:
    """The network between clusters. Engine `kind` shares it with all of Docker, so there it can be chosen."""
    return (topology.kind.subnet if topology.engine == "kind" else None) or LAB_NETWORK


def pod_ranges(topology: Topology) -> dict[str, IPv4Network]:
    """Pod addresses per cluster: as written, else 10.(20+position).0.0/16."""
    return {
        name: cluster.pods or _by_position(_FIRST_PODS + index)
        for index, (name, cluster) in enumerate(topology.clusters.items())
    }


def service_ranges(topology: Topology) -> dict[str, IPv4Network]:
    """Service addresses per cluster: as written, else 10.(120+position).0.0/16."""
    return {
        name: cluster.services or _by_position(_FIRST_SERVICES + index)
        for index, (name, cluster) in enumerate(topology.clusters.items())
    }


def _by_position(second: int) -> IPv4Network:
    return IPv4Network((f"10.{second}.0.0", 16))
