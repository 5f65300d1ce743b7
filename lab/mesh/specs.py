"""Links in the words of the mesh: what a topology wants them to carry, and what a Link object does. Pure."""

from lab.kube.objects import Object, spec
from lab.mesh.protocol import LinkSpec, LinkState, Mode
from lab.topology.links import directed_links
from lab.topology.model import Topology

SELECTORS: dict[str, Mode] = {
    "selector": "gateway",
    "remoteDiscoverySelector": "flat",
    "federatedServiceSelector": "federated",
}


def link_spec(topology: Topology, source: str, target: str) -> LinkSpec:
    """What the topology wants the link between two clusters to carry."""
    wanted = next(link for link in directed_links(topology) if (link.source, link.target) == (source, target))
    mesh = topology.mesh
    return LinkSpec(
        frozenset(wanted.modes),
        wanted.excluded_labels,
        wanted.excluded_annotations,
        headless=mesh.headless,
        creates_namespaces=mesh.create_namespaces,
        emulate=mesh.bugs,
    )


def links_from(topology: Topology, source: str) -> tuple[tuple[str, LinkSpec], ...]:
    """The targets of a cluster's links, in the order of the file."""
    return tuple(
        (link.target, link_spec(topology, source, link.target))
        for link in directed_links(topology)
        if link.source == source
    )


def has_gateway(topology: Topology, cluster: str) -> bool:
    """Whether any link leads to the cluster's gateway."""
    return any(link.target == cluster and "gateway" in link.modes for link in directed_links(topology))


def link_state(source: str, link: Object, mirrors: int) -> LinkState:
    """A Link object of a source cluster that has so many mirrors of its target."""
    body = spec(link)
    modes = frozenset(mode for key, mode in SELECTORS.items() if any((body.get(key) or {}).values()))
    addresses = tuple(filter(None, str(body.get("gatewayAddress", "")).split(",")))
    carried = LinkSpec(
        modes, tuple(body.get("excludedLabels") or ()), tuple(body.get("excludedAnnotations") or ())
    )
    return LinkState(source, str(body.get("targetClusterName", "")), carried, addresses, mirrors)
