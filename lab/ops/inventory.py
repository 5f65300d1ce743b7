"""What is really there, in the words of the plan: names and hashes to compare with the topology.

Read from the live lab at every `up` and `plan`, so that a Deployment somebody deleted counts as
missing, whatever was once applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab.base import shipped
from lab.base.concurrent import together
from lab.controlplane.identity.certificates import Pair
from lab.kube import objects, record
from lab.kube.client import Client
from lab.kube.errors import NotFound
from lab.kube.kinds import (
    CONFIG_MAPS,
    SECRETS,
    Kind,
)
from lab.kube.links import link_target, modes_of
from lab.kube.manifests import read, written
from lab.kube.objects import Object
from lab.mesh.builtin import control_plane
from lab.mesh.select import release_of
from lab.mesh.trust import is_good, lab_anchor, trusts
from lab.observe.gather import links_of
from lab.ops.labs import Lab
from lab.plan.desired import Desired, Ends, LinkState, MeshState, desired
from lab.plan.steps import Observed
from lab.plan.workloads import (
    HASH_ANNOTATION,
    OWN,
    PART_KINDS,
    PART_LABEL,
    TRAFFIC,
    Manifests,
    app_objects,
    traffic_objects,
)
from lab.topology.load import load
from lab.topology.model import APP_SERVICES, Topology

DRIFTED = "drifted"

Hashes = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True)
class ClusterInventory:
    """What one cluster holds; `parts` has the hash of each marked object by part and object, `is_trusted`
    says whether its trust anchors and issuer are those of the lab.
    """

    record: Mapping[str, str]
    links: tuple[Object, ...]
    parts: Mapping[str, Hashes]
    is_trusted: bool = True


def shipped_manifests() -> Manifests:
    """The demo's manifests, parsed."""
    apps = {str(app): tuple(read(shipped.MANIFESTS / "apps" / app)) for app in APP_SERVICES}
    return {**apps, TRAFFIC: tuple(read(shipped.MANIFESTS / "apps" / "loadgen"))}


def user_manifests(topology: Topology) -> tuple[Object, ...]:
    """The objects of the topology's own manifests."""
    return tuple(obj for source in topology.manifests for obj in written(source))


def wanted(topology: Topology) -> Desired:
    """What the topology asks for, its manifest files read."""
    applied = user_manifests(topology)
    return desired(topology, objects.content_hash(list(applied)) if applied else "")


async def wished(topology: Topology, *, is_plan: bool = False) -> Desired:
    """The same, with the release of the mesh that would be installed now where a program of others does it:
    a newer one upgrades the lab. Raises EngineUnavailable where none is here, unless it is for a plan."""
    asked, release = wanted(topology), await release_of(topology, is_plan=is_plan)
    named = {
        name: replace(one, version=release) if release and one.version == topology.mesh.version else one
        for name, one in asked.mesh.items()
    }
    return replace(asked, mesh=named)


async def observe(lab: Lab, clients: Mapping[str, Client]) -> Observed:
    """What the running clusters hold; clusters without a client are not running."""
    names = list(clients)
    anchor = lab_anchor(lab.dir) if lab.topology.mesh.provider == "lab" else None
    read_all = await together(*(_read(clients[name], anchor) for name in names))
    found = dict(zip(names, read_all, strict=True))
    before = load(str(lab.dir.topology)) if lab.dir.topology.exists() else lab.topology
    shapes, settings = desired(before).clusters, desired(before).links
    manifests = shipped_manifests()
    return Observed(
        clusters={name: shapes.get(name, DRIFTED) for name in names},
        mesh={name: _mesh(one) for name, one in found.items() if "mesh" in one.record},
        links=_links(lab.topology, found, settings),
        apps=_apps(lab.topology, found, manifests),
        manifests={n: one.record["manifests"] for n, one in found.items() if "manifests" in one.record},
        traffic=_traffic(lab.topology, found, manifests),
    )


def _links(
    topology: Topology, found: Mapping[str, ClusterInventory], before: Mapping[Ends, LinkState]
) -> dict[Ends, LinkState]:
    """Links there are, with the settings of the last `up`. Of a mesh that is not the lab's only those count
    that the topology names; one that carries more is as good."""
    seen = {
        (name, target): LinkState(
            modes_of(link), known.settings if (known := before.get((name, target))) else ""
        )
        for name, one in found.items()
        for link in one.links
        if (target := link_target(link))
    }
    if topology.mesh.provider == "lab":
        return seen
    asked = desired(topology).links
    return {
        ends: wanted
        for ends, wanted in asked.items()
        if ends in seen and set(wanted.modes) <= set(seen[ends].modes)
    }


async def _read(client: Client, anchor: Pair | None) -> ClusterInventory:
    """`anchor` is None where the mesh is not the lab's, so that it need not be trusted."""
    noted = await record.read(client)
    trust, issuer, links, *listed = await together(
        _find(client, CONFIG_MAPS, ("linkerd", control_plane.TRUST_ROOTS)),
        _find(client, SECRETS, ("linkerd", control_plane.ISSUER_SECRET)),
        links_of(client),
        *(list_served(client, kind, OWN) for kind in PART_KINDS),
    )
    parts: dict[str, dict[tuple[str, str, str], str]] = {}
    for obj in (obj for group in listed for obj in group if client.owns(obj)):
        marks = parts.setdefault(objects.labels(obj)[PART_LABEL], {})
        marks[obj["kind"], *objects.key(obj)] = objects.annotations(obj).get(HASH_ANNOTATION, "")
    is_trusted = anchor is None or (
        all(trusts(one, anchor) for one in trust)
        and all(is_good(one, anchor, control_plane.ISSUER_FIELDS) for one in issuer)
    )
    return ClusterInventory(noted, tuple(links), parts, is_trusted)


async def _find(client: Client, kind: Kind, where: tuple[str, str]) -> list[Object]:
    try:
        return [await client.get(kind, where[1], where[0])]
    except NotFound:
        return []


async def list_served(client: Client, kind: Kind, labels: str = "") -> list[Object]:
    """A cluster's objects of a kind; none of one that it does not serve."""
    try:
        return await client.list(kind, labels=labels)
    except NotFound:
        return []  # its definition comes with the mesh


def _mesh(found: ClusterInventory) -> MeshState:
    version, _, config = found.record["mesh"].partition(" ")
    return MeshState(version, config if found.is_trusted else DRIFTED)


def hashes(found: tuple[Object, ...]) -> Hashes:
    """The hash of each marked object."""
    return {(obj["kind"], *objects.key(obj)): objects.annotations(obj)[HASH_ANNOTATION] for obj in found}


def _apps(
    topology: Topology, found: Mapping[str, ClusterInventory], manifests: Manifests
) -> dict[tuple[str, str], str]:
    asked = desired(topology).apps
    result = {}
    for cluster, one in found.items():
        for app in set(one.parts) - {TRAFFIC}:
            expected = app_objects(topology, app, cluster, manifests) if app in manifests else ()
            is_same = one.parts[app] == hashes(expected)
            result[app, cluster] = asked.get((app, cluster), DRIFTED) if is_same else DRIFTED
    return result


def _traffic(
    topology: Topology, found: Mapping[str, ClusterInventory], manifests: Manifests
) -> dict[str, str]:
    asked = desired(topology).traffic
    result = {}
    for cluster, one in found.items():
        if TRAFFIC in one.parts:
            is_same = one.parts[TRAFFIC] == hashes(traffic_objects(topology, cluster, manifests))
            result[cluster] = asked.get(cluster, DRIFTED) if is_same else DRIFTED
    return result
