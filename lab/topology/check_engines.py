"""What a topology may not ask of the engine that it is for, and of a mesh that is not the lab's. Pure."""

from collections.abc import Iterator

from lab.topology.links import expand
from lab.topology.model import Topology
from lab.topology.problem import Path, Problem


def one_node(topology: Topology) -> Iterator[Problem]:
    if topology.engine != "embedded":
        return
    for name in topology.clusters:
        if topology.nodes_of(name) > 1:
            path: Path = ("clusters", name, "nodes")
            yield Problem(path, f"{topology.nodes_of(name)} nodes on the embedded engine", "1",
                          "engine kind runs clusters of several nodes")  # fmt: skip


# A host name has at most 64 characters, and kind adds "-control-plane" to the cluster's name.
_LONGEST_KIND_NAME = 50


def kind_names(topology: Topology) -> Iterator[Problem]:
    if topology.engine != "kind":
        return
    for name in topology.clusters:
        if len(full := f"{topology.name}-{name}") > _LONGEST_KIND_NAME:
            found = f"{full} is too long for the name of a kind cluster ({len(full)} characters)"
            yield Problem(("clusters", name), found, f"at most {_LONGEST_KIND_NAME}, with the lab's name")


def no_slow_links(topology: Topology) -> Iterator[Problem]:
    """The network between clusters that exist is what it is."""
    if topology.engine != "existing":
        return
    for index, link in enumerate(topology.links):
        for setting in next(iter(expand(topology, link))).wan.words():
            found = f"{setting} on engine existing, which has no access to the network between clusters"
            yield Problem(
                ("links", index, setting), found, hint="leave it out: real distances come by themselves"
            )


def mesh_of_others(topology: Topology) -> Iterator[Problem]:
    """`user` needs clusters that exist; without a mesh nothing can be linked or routed."""
    provider = topology.mesh.provider
    if provider == "user" and topology.engine != "existing":
        found = f"user on engine {topology.engine}, whose clusters are new"
        yield Problem(("mesh", "provider"), found, "lab, none")
    if provider != "none":
        return
    if topology.links:
        yield Problem(
            ("links",), "links without a mesh", "[]", "`mesh: none` has nothing that links clusters"
        )
    for index, app in enumerate(topology.apps):
        for key, is_set in (("export", bool(app.export)), ("failover", app.failover)):
            if is_set:
                yield Problem(
                    ("apps", index, key), f"{key} without a mesh", hint="leave it out, or the mesh in"
                )
