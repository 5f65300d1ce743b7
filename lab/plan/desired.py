"""A topology → what must be there, as names and hashes that can be compared with what is there.

`steps` compares it with an Observed. A hash covers exactly what its part depends on, so that a change
touches that part and nothing else. Pure: the text of manifest files is read by the caller.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.plan.addresses import LabPlan, addresses
from lab.topology.links import DirectedLink, directed_links
from lab.topology.model import APP_SERVICES, App, Mode, Topology, Traffic


@dataclass(frozen=True)
class MeshState:
    """A mesh in one cluster: its version, and a hash of its settings."""

    version: str
    config: str


@dataclass(frozen=True)
class LinkState:
    """A link from one cluster to another, as far as changing it matters."""

    modes: tuple[str, ...]
    settings: str = ""


# (source, target) of a link; (app, cluster) of an app.
Ends = tuple[str, str]


@dataclass(frozen=True)
class Desired:
    """What must be there. The hashes are opaque: equal means nothing to do."""

    clusters: Mapping[str, str]
    mesh: Mapping[str, MeshState]
    links: Mapping[Ends, LinkState]
    apps: Mapping[Ends, str]
    manifests: Mapping[str, str]
    traffic: Mapping[str, str]


def desired(topology: Topology, manifests: str = "") -> Desired:
    """What a checked topology asks for; `manifests` is the text of all its manifest files."""
    plan = addresses(topology)
    links = directed_links(topology)
    names = tuple(topology.clusters)
    return Desired(
        clusters={one.name: digest(_cluster_parts(topology, plan, one.name)) for one in plan.clusters},
        mesh={name: MeshState(_mesh_version(topology), _mesh_config(topology)) for name in names},
        links={
            (link.source, link.target): LinkState(link.modes, _settings(topology, link)) for link in links
        },
        apps={
            (app.app, cluster): digest(_app_parts(topology, app, cluster))
            for app in topology.apps
            for cluster in topology.clusters_of(app)
        },
        manifests=dict.fromkeys(names, digest(manifests)) if manifests else {},
        traffic={
            name: digest([_traffic_parts(one) for one in traffic])
            for name in names
            if (traffic := traffic_of(topology, name))
        },
    )


def traffic_of(topology: Topology, cluster: str) -> tuple[Traffic, ...]:
    """The load generators of one cluster."""
    return tuple(one for one in topology.traffic if one.from_ == cluster)


def failover_targets(topology: Topology, app: App, cluster: str) -> tuple[str, ...]:
    """The other clusters whose entry service this cluster's callers may move to: linked to it, and
    exporting the service in a mode that gives it a mirror of its own."""
    if not app.failover:
        return ()
    entry = APP_SERVICES[app.app][0]
    exporting: dict[str, set[Mode]] = {
        place: {*other.export.get(entry, ())} - {"federated"}
        for other in topology.apps
        if other.app == app.app
        for place in topology.clusters_of(other)
    }
    return tuple(
        link.target
        for link in directed_links(topology)
        if link.source == cluster and exporting.get(link.target, set()) & set(link.modes)
    )


def digest(value: Any) -> str:
    """A short hash of plain data: the same for equal values, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cluster_parts(topology: Topology, plan: LabPlan, name: str) -> Any:
    """What a running cluster cannot change: its addresses and its size. Links and images can."""
    if topology.engine == "existing":  # addresses and size are its owner's
        return asdict(plan.visit.reach[name])
    parts = [asdict(plan.cluster(name)), topology.nodes_of(name), topology.clusters[name].context]
    if topology.engine == "kind":  # limits of nodes can change while they run
        parts.append(topology.kind.model_dump(mode="json", exclude={"cpus", "memory"}))
    return parts


def _mesh_version(topology: Topology) -> str:
    """The version that the lab installs, or else whose mesh it is."""
    mesh = topology.mesh
    return mesh.version if mesh.provider == "lab" else mesh.provider


def _mesh_config(topology: Topology) -> str:
    return digest(topology.mesh.model_dump(mode="json"))


def _settings(topology: Topology, link: DirectedLink) -> str:
    mesh = topology.mesh.model_dump(mode="json")
    return digest([asdict(link.wan), mesh, link.excluded_labels, link.excluded_annotations])


def _app_parts(topology: Topology, app: App, cluster: str) -> Any:
    spec = app.model_dump(mode="json", exclude={"clusters"})
    return [spec, failover_targets(topology, app, cluster)]


def _traffic_parts(traffic: Traffic) -> Any:
    return [traffic.label, traffic.to, traffic.rate, dict(traffic.headers)]
