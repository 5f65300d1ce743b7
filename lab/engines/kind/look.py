"""Reads what there is of a lab: nodes from Docker, routes and rules from inside them, files of ours."""

import asyncio

from lab.base.concurrent import together
from lab.base.errors import LabError
from lab.base.state import LabDir
from lab.engines.kind import rules, shaping
from lab.engines.kind.cache import MARK
from lab.engines.kind.daemon import Daemon, Said
from lab.engines.kind.design import Present
from lab.engines.kind.nodes import Node, Wiring
from lab.engines.kind.perform import in_node
from lab.plan.addresses import LabPlan

STATIC_PODS = "/etc/kubernetes/manifests"
SHELF = "/etc/kubernetes"
"""Where the manifest of a stopped API server waits."""
API_MANIFEST = "kube-apiserver.yaml"
IMAGES = ("ctr", "--namespace=k8s.io", "images", "list")
REACHABLE = ("running", "paused")
TRIES = 4
"""Times that a silent program is run before that is an error."""


async def present(daemon: Daemon, lab: LabDir, plan: LabPlan) -> Present:
    """Everything that a design is compared with."""
    networks, nodes, images, cache = await asyncio.gather(
        daemon.lab_networks(lab), daemon.nodes(lab), daemon.images(), daemon.cache()
    )
    marks = {one.name: mark for one in plan.clusters if (mark := _mark(lab, one.name))}
    kernels, stocks, mirrored = await asyncio.gather(
        wirings(daemon, nodes), loaded(daemon, nodes), mirroring(daemon, nodes)
    )
    return Present(bool(networks), nodes, images, kernels, marks, cache, mirrored, stocks)


async def wirings(daemon: Daemon, nodes: tuple[Node, ...]) -> dict[str, Wiring]:
    """What each node that runs, or is paused, has of ours in its kernel."""
    asked = [node for node in nodes if node.state in REACHABLE]
    answers = await together(*(_wiring(daemon, node) for node in asked))
    return {node.name: answer for node, answer in zip(asked, answers, strict=True)}


async def loaded(daemon: Daemon, nodes: tuple[Node, ...]) -> dict[str, dict[str, str]]:
    """The names of all images in each node that runs, with their digests."""
    asked = [node for node in nodes if node.state == "running"]
    answers = await together(*(in_node(daemon, node, IMAGES) for node in asked))
    return {node.name: _table(answer) for node, answer in zip(asked, answers, strict=True)}


async def mirroring(daemon: Daemon, nodes: tuple[Node, ...]) -> frozenset[str]:
    """The nodes that run and ask the cache for images."""
    asked = [node for node in nodes if node.state == "running"]
    answers = await together(*(daemon.run_in(node, ("ls", MARK)) for node in asked))
    return frozenset(node.name for node, said in zip(asked, answers, strict=True) if not said.code)


def _table(text: str) -> dict[str, str]:
    """Name and digest of each row: REF, TYPE, DIGEST and more."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return {row[0]: row[2] for row in rows}


async def without_api(daemon: Daemon, node: Node) -> bool:
    """Whether the API server of a control plane was stopped on purpose, and has ended."""
    if node.state != "running":
        return False  # nothing can be asked of files and processes of a paused node
    shelf, alive = await asyncio.gather(
        daemon.run_in(node, ("ls", f"{SHELF}/{API_MANIFEST}")),
        daemon.run_in(node, ("sh", "-c", "grep -qsx kube-apiserver /proc/[0-9]*/comm")),
    )
    return shelf.code == 0 and alive.code != 0


async def _told(daemon: Daemon, node: Node, argv: tuple[str, ...]) -> Said:
    """What a program says that always says something. On a busy machine Docker may lose the words of one that
    ends at once, and nothing said would be read as nothing there."""
    for _ in range(TRIES):
        said = await daemon.run_in(node, argv)
        if said.out.strip() or said.err.strip():
            return said
    raise LabError(f"`{' '.join(argv)}` in {node.name} said nothing, {TRIES} times", remedy="try again")


async def _wiring(daemon: Daemon, node: Node) -> Wiring:
    routes, table, queues = await asyncio.gather(
        *(_told(daemon, node, argv) for argv in (rules.READ_ROUTES, rules.READ_RULES, shaping.READ_QUEUES))
    )
    if routes.code:
        raise LabError(f"cannot read the routes of {node.name}: {routes.err.strip()}")
    if table.code and rules.NO_TABLE not in table.err:
        raise LabError(f"cannot read the packet rules of {node.name}: {table.err.strip()}")
    if queues.code:
        raise LabError(f"cannot read the queues of {node.name}: {queues.err.strip()}")
    drops, kept = rules.parse_rules(table.out)
    return Wiring(rules.parse_routes(routes.out), drops, kept, table.out, queues.out)


def _mark(lab: LabDir, cluster: str) -> str:
    file = lab.cluster(cluster).root / "kind.yaml"
    return file.read_text().partition("\n")[0] if file.exists() else ""
