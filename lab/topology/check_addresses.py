"""Rules about address ranges: each cluster's own, and those of clusters linked flat.

Part of `check`. Clusters that meet only through gateways may have the same ranges; that is what
gateways are for. Pure.
"""

from collections.abc import Iterator

from lab.topology.links import directed_links, lead_somewhere
from lab.topology.model import Topology
from lab.topology.problem import Path, Problem
from lab.topology.ranges import MAX_CLUSTERS, lab_range, pod_ranges, service_ranges

# A smaller range has no room for the fixed service addresses, or for a gateway and a few pods.
_LONGEST_PREFIX = 26


def cluster_count(topology: Topology) -> Iterator[Problem]:
    """Addresses are given by position, and positions run out."""
    count = len(topology.clusters)
    if count > MAX_CLUSTERS:
        yield Problem(("clusters",), f"{count} clusters", f"at most {MAX_CLUSTERS}")


def ranges(topology: Topology) -> Iterator[Problem]:
    """Pods, services and the lab network must differ inside each cluster."""
    if len(topology.clusters) > MAX_CLUSTERS:
        return
    pods, services, between = pod_ranges(topology), service_ranges(topology), lab_range(topology)
    for name, cluster in topology.clusters.items():
        where = {"pods": pods[name], "services": services[name]}
        for key, value in where.items():
            path: Path = ("clusters", name, key)
            if value.prefixlen > _LONGEST_PREFIX:
                yield Problem(path, f"{value} is too small", f"a prefix of at most /{_LONGEST_PREFIX}")
            if value.overlaps(between):
                yield Problem(path, f"{value} overlaps the network between clusters, {between}",
                              f"a range outside {between}")  # fmt: skip
        if pods[name].overlaps(services[name]):
            written = "pods" if cluster.pods else "services"
            found = f"pods {pods[name]} and services {services[name]} overlap"
            yield Problem(("clusters", name, written), found, "two separate ranges")


def flat_ranges(topology: Topology) -> Iterator[Problem]:
    """Pods that talk to each other directly need addresses that differ."""
    if len(topology.clusters) > MAX_CLUSTERS or not lead_somewhere(topology):
        return
    pods = pod_ranges(topology)
    reported: set[frozenset[str]] = set()
    for link in directed_links(topology):
        pair = frozenset((link.source, link.target))
        if len(pair) < 2 or pair in reported:
            continue
        one_network = topology.network_of(link.source) == topology.network_of(link.target)
        if link.crosses_pods and one_network and pods[link.source].overlaps(pods[link.target]):
            reported.add(pair)
            yield _overlap(topology, link.source, link.target)


def _overlap(topology: Topology, source: str, target: str) -> Problem:
    pods = pod_ranges(topology)
    index = next(
        number for number, link in enumerate(topology.links) if {link.from_, link.to} == {source, target}
    )
    found = (
        f"flat or federated between {source} (pods {pods[source]}) and {target} (pods {pods[target]}): "
        "the ranges overlap, so an address would not say which cluster's pod is meant"
    )
    hint = "or give the clusters separate pods ranges, or different networks"
    return Problem(("links", index, "modes"), found, "gateway", hint)
