"""Plan and what is there → the acts that bring a lab's clusters into being, and wire them. Pure.

`lab plan` prints these lists and `converge` carries the same ones out. What a node has only once it runs (its
address) stands in angle brackets until then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lab.base.state import LabDir
from lab.engines.kind import cache, config, links, names, rules
from lab.engines.kind.acts import (
    Act,
    InNode,
    LimitNode,
    RunDocker,
    RunKind,
    StartNode,
    WriteFile,
)
from lab.engines.kind.cache import Cache
from lab.engines.kind.images import IMAGE_SECONDS, Images, canonical
from lab.engines.kind.nodes import Node, Wiring, by_cluster
from lab.kube.quantity import quantity
from lab.plan.addresses import ClusterPlan, LabPlan

READY_SECONDS = 180
"""How long kind itself waits for a cluster to be ready."""
CREATE_SECONDS = 900.0
DELETE_SECONDS = 120.0


@dataclass(frozen=True)
class Present:
    """What there is of a lab before anything is done."""

    network: bool = False
    nodes: tuple[Node, ...] = ()
    images: frozenset[str] = frozenset()
    wiring: Mapping[str, Wiring] = field(default_factory=dict)
    """By node."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """By cluster: what each was made from, where that is known."""
    cache: Cache = field(default_factory=Cache)
    mirrored: frozenset[str] = frozenset()
    """Nodes that ask the cache."""
    loaded: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By node: the images that its containers can be started from, name -> digest."""


@dataclass(frozen=True)
class Design:
    """`first` comes before all else, `last` after it; each cluster's acts in order, clusters side by side."""

    first: tuple[Act, ...] = ()
    clusters: Mapping[str, tuple[Act, ...]] = field(default_factory=dict)
    last: tuple[Act, ...] = ()

    @property
    def acts(self) -> tuple[Act, ...]:
        return (*self.first, *(act for acts in self.clusters.values() for act in acts), *self.last)


def creation(lab: LabDir, plan: LabPlan, images: Images, present: Present) -> Design:
    """What makes the plan's clusters exist, and no others."""
    groups = by_cluster(present.nodes)
    wanted = {cluster.name: cluster for cluster in plan.clusters}
    network = names.network(lab.name)
    first: list[Act] = []
    missing = [
        name
        for name, cluster in wanted.items()
        if [(node.name, node.role) for node in groups.get(name, ())] != _node_names(plan, name)
        or present.marks.get(name, config.mark(plan, cluster)) != config.mark(plan, cluster)
    ]
    # Offline, what is absent was refused before.
    if missing and images.node and canonical(images.node) not in present.images:
        first.append(RunDocker("lab", ("pull", images.node), IMAGE_SECONDS))
    if images.node and _needs_netem(plan, groups, present):
        # Where this fails, nothing has been made yet.
        first.append(RunDocker("lab", _try_netem(images.node), IMAGE_SECONDS))
    if not present.network:
        first.append(_make_network(lab, network, plan.lab_cidr))
    if cache.is_wanted(plan):
        first += [RunDocker("lab", argv, IMAGE_SECONDS) for argv in cache.serve(network, present.cache)]
    if images.apps.tag not in present.images:
        first.append(RunDocker("lab", images.apps.build, IMAGE_SECONDS))
    acts: dict[str, tuple[Act, ...]] = {}
    for name in groups:
        if name not in wanted or name in missing:
            acts[name] = (delete_cluster(lab, name),)
    for name in missing:
        acts[name] = (*acts.get(name, ()), *_create(lab, plan, wanted[name], images.node))
    for name in wanted.keys() - set(missing):
        acts[name] = _keep(plan, groups[name])
    return Design(tuple(first), {name: done for name, done in acts.items() if done})


def _make_network(lab: LabDir, name: str, subnet: str) -> RunDocker:
    labels = [f"--label={key}={value}" for key, value in names.labels(lab).items()]
    argv = ("network", "create", "--driver=bridge", f"--subnet={subnet}", *labels, name)
    return RunDocker("lab", argv, DELETE_SECONDS)


def _needs_netem(plan: LabPlan, groups: Mapping[str, tuple[Node, ...]], present: Present) -> bool:
    """Whether links ask for something that is not there yet and that only netem can do."""
    acts = wiring(plan, expected(plan, groups), present.wiring)
    return any("netem" in act.argv for act in acts if isinstance(act, InNode))


def _try_netem(image: str) -> tuple[str, ...]:
    """Use netem in a network of its own, to find out whether the kernel under Docker has it."""
    words = ("run", "--rm", "--network=none", "--cap-add=NET_ADMIN", "--entrypoint=tc")
    return (*words, image, "qdisc", "add", "dev", "lo", "root", "netem")


def delete_cluster(lab: LabDir, cluster: str) -> RunKind:
    """Remove a cluster with its nodes and their volumes."""
    argv = ("delete", "cluster", f"--name={names.kind_cluster(lab.name, cluster)}",
            f"--kubeconfig={_scratch(lab, cluster)}")  # fmt: skip
    return RunKind(cluster, argv, names.network(lab.name), DELETE_SECONDS)


def expected(plan: LabPlan, groups: Mapping[str, tuple[Node, ...]]) -> tuple[Node, ...]:
    """The nodes that there will be: those that are there, and for the others what is known before."""
    found: list[Node] = []
    for cluster in plan.clusters:
        if nodes := groups.get(cluster.name):
            found += nodes
            continue
        for name, role in _node_names(plan, cluster.name):
            pods = cluster.pod_cidr if plan.nodes.get(cluster.name, 1) == 1 else f"<pods of {name}>"
            found.append(Node(name, cluster.name, role, address=f"<address of {name}>", pods=(pods,)))
    return tuple(found)


def wiring(plan: LabPlan, nodes: Iterable[Node], seen: Mapping[str, Wiring]) -> list[Act]:
    """Pods of clusters with flat links between them reach each other, and what goes over links suffers what
    these say; what is right is left alone."""
    groups = by_cluster(nodes)
    acts: list[Act] = []
    for cluster, mine in groups.items():
        far = [node for peer in _peers(plan, cluster) for node in groups.get(peer, ()) if node.address]
        routes = {network: node.address for node in far for network in node.pods}
        asked, known = links.layers(plan, groups, cluster), links.ways(plan, groups, cluster)
        for node in mine:
            if node.state == "running":
                there = seen.get(node.name, Wiring())
                acts += _wire(node, mine, routes, there)
                acts += [InNode(cluster, node.name, argv) for argv in links.repair(asked, known, there)]
    return acts


def _wire(node: Node, siblings: Iterable[Node], routes: Mapping[str, str], seen: Wiring) -> list[Act]:
    commands = [rules.add_route(*one) for one in routes.items() if seen.routes.get(one[0]) != one[1]]
    commands += [rules.remove_route(network) for network in seen.routes.keys() - routes.keys()]
    if seen.kept != routes.keys():
        pods = {network for one in siblings for network in one.pods}
        commands.append(rules.keep_sources(pods, routes))
    return [InNode(node.cluster, node.name, argv) for argv in commands]


def adrift(
    plan: LabPlan, groups: Mapping[str, tuple[Node, ...]], seen: Mapping[str, Wiring]
) -> dict[str, str]:
    """Clusters with a node that has lost its way to a node of a flat peer, or what links ask of its packets,
    as happens when nodes restart; in words."""
    found = {}
    for cluster, mine in groups.items():
        far = {
            node.address for peer in _peers(plan, cluster) for node in groups.get(peer, ()) if node.address
        }
        asked, known = links.layers(plan, groups, cluster), links.ways(plan, groups, cluster)
        for node in mine:
            there = seen.get(node.name)
            if there and (lost := far - set(there.routes.values())):
                found[cluster] = f"{node.name} has no route to pods behind {', '.join(sorted(lost))}"
            elif there and not links.hold(asked, known, there):
                found[cluster] = f"{node.name} does not do to packets what the links ask"
    return found


def _peers(plan: LabPlan, cluster: str) -> list[str]:
    return [
        second if first == cluster else first
        for first, second in plan.flat_pairs
        if cluster in (first, second)
    ]


def _node_names(plan: LabPlan, cluster: str) -> list[tuple[str, str]]:
    """Names and roles as kind gives them: worker, worker2, worker3 …"""
    stem = names.kind_cluster(plan.name, cluster)
    workers = range(1, plan.nodes.get(cluster, 1))
    return [
        (f"{stem}-{names.CONTROL_PLANE}", names.CONTROL_PLANE),
        *((f"{stem}-worker{number if number > 1 else ''}", "worker") for number in workers),
    ]


def _create(lab: LabDir, plan: LabPlan, cluster: ClusterPlan, image: str) -> tuple[Act, ...]:
    file = lab.cluster(cluster.name).root / "kind.yaml"
    argv = ("create", "cluster", f"--name={names.kind_cluster(lab.name, cluster.name)}", f"--config={file}",
            f"--kubeconfig={_scratch(lab, cluster.name)}", f"--wait={READY_SECONDS}s")  # fmt: skip
    limited = [_limit(plan, Node(name, cluster.name, role)) for name, role in _node_names(plan, cluster.name)]
    return (
        WriteFile(cluster.name, file, config.text(plan, cluster, image)),
        RunKind(cluster.name, argv, names.network(lab.name), CREATE_SECONDS),
        *(act for act in limited if act),
    )


def _keep(plan: LabPlan, nodes: tuple[Node, ...]) -> tuple[Act, ...]:
    started = [StartNode(node.cluster, node.name) for node in nodes if node.state == "exited"]
    limited = [_limit(plan, node) for node in nodes]
    return (*started, *(act for act in limited if act))


def _limit(plan: LabPlan, node: Node) -> LimitNode | None:
    """What bounds the node as the topology says. A bound that it no longer asks for stays."""
    cpus = plan.kind.cpus or 0.0
    memory = int(quantity(plan.kind.memory)) if plan.kind.memory else 0
    missing = LimitNode(
        node.cluster,
        node.name,
        cpus if cpus != node.cpus else 0.0,
        memory if memory != node.memory else 0,
    )
    return missing if missing.cpus or missing.memory else None


def _scratch(lab: LabDir, cluster: str) -> str:
    """Where kind writes its kubeconfig, so that it leaves the user's alone; the lab's is written by us."""
    return str(lab.cluster(cluster).root / "kind.kubeconfig")
