"""What the parts of a topology must agree on, checked all at once.

`load` calls `check` on a file of the right shape. Pure: it returns problems and raises nothing, so
that a user sees every problem in one run. Each rule is one function; `_RULES` lists them.
"""

from collections.abc import Iterator
from dataclasses import replace

from lab.topology.check_addresses import cluster_count, flat_ranges, ranges
from lab.topology.check_engines import kind_names, mesh_of_others, no_slow_links, one_node
from lab.topology.check_exports import app_places, exports, services
from lab.topology.check_scenario import scenario_names, scenario_parts
from lab.topology.links import DirectedLink, expand
from lab.topology.model import OF_SCENARIO, VARIABLE, Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed


def check(topology: Topology) -> list[Problem]:
    """Everything in the topology that does not fit together."""
    return [problem for rule in _RULES for problem in rule(topology)]


def check_all(topology: Topology) -> list[Problem]:
    """The same for a topology with variants: in all of them, each problem once and where it is written."""
    found = {
        replace(problem, path=_written(problem.path, topology, name)): None
        for name in topology.variants
        for problem in check(topology.variant(name))
    }
    return list(found) if topology.variants else check(topology)


def _written(path: Path, topology: Topology, variant: str) -> Path:
    """Where a variant's own part is written, or the path as it is."""
    parts = path[1:] if path[:1] == ("scenario",) and path[1:2] and path[1] in OF_SCENARIO else path
    own = [
        part for part in (*VARIABLE, *OF_SCENARIO) if getattr(topology.variants[variant], part) is not None
    ]
    return ("variants", variant, *parts) if parts and parts[0] in own else path


def check_names(topology: Topology) -> list[Problem]:
    """The rules that hold whatever else is missing: names must lead somewhere."""
    return [problem for rule in _NAMES for problem in rule(topology)]


def _unknown_cluster(topology: Topology, name: str, path: Path) -> Iterator[Problem]:
    if name not in topology.clusters:
        hint = did_you_mean(name, topology.clusters)
        yield Problem(path, f'no cluster "{name}"', listed(topology.clusters), hint)


def _link_ends(topology: Topology) -> Iterator[Problem]:
    for index, link in enumerate(topology.links):
        yield from _unknown_cluster(topology, link.from_, ("links", index, "from"))
        yield from _unknown_cluster(topology, link.to, ("links", index, "to"))
        if link.from_ == link.to:
            yield Problem(("links", index), f"links {link.from_} to itself", "two different clusters")


def _repeated_links(topology: Topology) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, link in enumerate(topology.links):
        ends = [(link.from_, link.to)] + ([(link.to, link.from_)] if link.both else [])
        for source, target in dict.fromkeys(ends):
            first = seen.setdefault((source, target), index)
            if first != index:
                found = f"{source} -> {target} is already linked by links[{first}]"
                yield Problem(("links", index), found, "one link per direction")


def _link_modes(topology: Topology) -> Iterator[Problem]:
    for index, link in enumerate(topology.links):
        if not {link.from_, link.to} <= set(topology.clusters):
            continue
        for direction in list(expand(topology, link))[:1]:
            path: Path = ("links", index, "modes")
            yield from _flat_needs_one_network(topology, direction, path)
            if "federated" in direction.modes and topology.mesh.version == "2.14":
                yield Problem(path, "federated with mesh.version 2.14", "gateway, flat",
                              'federated services came later: use mesh.version "latest"')  # fmt: skip


def _exclusions(topology: Topology) -> Iterator[Problem]:
    for index, link in enumerate(topology.links):
        for word in ("excluded_labels", "excluded_annotations"):
            if getattr(link, word) and topology.mesh.version == "2.14":
                path: Path = ("links", index, word.replace("_", "-"))
                hint = 'it came later: use mesh.version "latest"'
                yield Problem(path, "with mesh.version 2.14", "nothing", hint)


def _flat_needs_one_network(topology: Topology, link: DirectedLink, path: Path) -> Iterator[Problem]:
    here, there = topology.network_of(link.source), topology.network_of(link.target)
    if here != there and link.crosses_pods:
        direct = listed(mode for mode in link.modes if mode != "gateway")
        found = (
            f"{direct} between {link.source} (network {here}) and {link.target} (network {there}): "
            "pods of different networks cannot reach each other, and these modes go from pod to pod"
        )
        yield Problem(path, found, "gateway", "or put both clusters on one network")


def _jitter(topology: Topology) -> Iterator[Problem]:
    for index, link in enumerate(topology.links):
        if link.jitter > link.delay:
            found = "more than the delay, so packets would arrive before they were sent"
            yield Problem(("links", index, "jitter"), found, "at most the link's delay")


def _traffic(topology: Topology) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, traffic in enumerate(topology.traffic):
        yield from _unknown_cluster(topology, traffic.from_, ("traffic", index, "from"))
        first = seen.setdefault((traffic.from_, traffic.label), index)
        if first != index:
            found = f'"{traffic.label}" in {traffic.from_} is already the name of traffic[{first}]'
            yield Problem(("traffic", index), found, hint="give one of them another name")
        if traffic.headers and not traffic.to.startswith("http://"):
            found = f"calls of {traffic.to.split(':')[0]}:// are sent without headers"
            yield Problem(("traffic", index, "headers"), found, "none, or http://")


def _namespace_creation(topology: Topology) -> Iterator[Problem]:
    if topology.mesh.create_namespaces and topology.mesh.version == "2.14":
        found, hint = "true with mesh.version 2.14", 'it came later: use mesh.version "latest"'
        yield Problem(("mesh", "create-namespaces"), found, "false", hint)


def _images(topology: Topology) -> Iterator[Problem]:
    for image, argv in topology.images.items():
        if not argv or not argv[0]:
            yield Problem(("images", image), "no program", "a list: the program and its arguments")


_NAMES = (_link_ends, _repeated_links, app_places, services, _traffic, scenario_names)
_RULES = (
    *_NAMES,
    cluster_count,
    ranges,
    one_node,
    kind_names,
    no_slow_links,
    mesh_of_others,
    _link_modes,
    _exclusions,
    flat_ranges,
    _jitter,
    exports,
    _images,
    _namespace_creation,
    scenario_parts,
)
