"""Desired against observed → the ordered steps that turn one into the other.

`ops.up` carries the steps out and `lab plan` prints them. Pure. Taking away comes before putting in;
a step names the steps it waits for, so that clusters can come up side by side.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lab.plan.desired import Desired, Ends, LinkState, MeshState


class Verb(StrEnum):
    """What a step does; the order here is the order of the steps."""

    STOP_TRAFFIC = "stop-traffic"
    REMOVE_MANIFESTS = "remove-manifests"
    REMOVE_APP = "remove-app"
    UNLINK = "unlink"
    STOP_CLUSTER = "stop-cluster"
    START_CLUSTER = "start-cluster"
    INSTALL_MESH = "install-mesh"
    PREPARE = "prepare"
    LINK = "link"
    APPLY_MANIFESTS = "apply-manifests"
    DEPLOY_APP = "deploy-app"
    START_TRAFFIC = "start-traffic"


@dataclass(frozen=True)
class Observed:
    """What is there now: same names and hashes as in Desired, as found in the live lab."""

    clusters: Mapping[str, str] = field(default_factory=dict)
    mesh: Mapping[str, MeshState] = field(default_factory=dict)
    links: Mapping[Ends, LinkState] = field(default_factory=dict)
    apps: Mapping[Ends, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)
    traffic: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing to do. `clusters` are those it touches; `target` is how it is printed."""

    verb: Verb
    clusters: tuple[str, ...]
    reason: str
    subject: str = ""
    after: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """`west`, `west -> east` or `shop in west`."""
        where = " -> ".join(self.clusters)
        return f"{self.subject} in {where}" if self.subject else where

    @property
    def id(self) -> str:
        """Unique in one plan and the same in every run."""
        return "/".join([self.verb, *([self.subject] if self.subject else []), *self.clusters])


def diff(desired: Desired, observed: Observed, only: Iterable[str] = ()) -> tuple[Step, ...]:
    """The steps from observed to desired, in order; `only` keeps those that touch these clusters."""
    order = list(Verb)
    steps = sorted(_steps(desired, observed), key=lambda step: order.index(step.verb))
    wanted = set(only)
    kept = [step for step in steps if not wanted or _within(step, wanted, observed)]
    return tuple(replace(step, after=_waits_for(step, kept)) for step in kept)


def _steps(desired: Desired, observed: Observed) -> Iterator[Step]:
    gone = _restarting(desired, observed)
    left = _without(observed, gone)
    yield from _singles(Verb.START_CLUSTER, desired.clusters, left.clusters, "is not running")
    for name in sorted(gone):
        why = "has other addresses or another size now" if name in desired.clusters else _DROPPED
        yield Step(Verb.STOP_CLUSTER, (name,), why)
    yield from _meshes(desired, left)
    yield from _links(desired, left)
    yield from _apps(desired, left)
    yield from _singles(Verb.APPLY_MANIFESTS, desired.manifests, left.manifests, "are not applied")
    yield from _dropped(Verb.REMOVE_MANIFESTS, desired.manifests, left.manifests)
    yield from _singles(Verb.START_TRAFFIC, desired.traffic, left.traffic, "is not running")
    yield from _dropped(Verb.STOP_TRAFFIC, desired.traffic, left.traffic)


_DROPPED = "is no longer in the topology"
_CHANGED = "differs from the topology"


def _within(step: Step, wanted: set[str], observed: Observed) -> bool:
    """Whether a step touches a wanted cluster, and no other that is not there."""
    touched = set(step.clusters)
    return bool(wanted & touched) and touched <= wanted | set(observed.clusters)


def _restarting(desired: Desired, observed: Observed) -> frozenset[str]:
    """Clusters that must stop: dropped, or of a shape that cannot change while they run."""
    return frozenset(name for name, shape in observed.clusters.items() if desired.clusters.get(name) != shape)


def _without(observed: Observed, gone: frozenset[str]) -> Observed:
    """What is left once these clusters stopped. Links of others to them stay until they are unlinked."""

    def keep(table: Mapping[Any, Any], at: int) -> dict[Any, Any]:
        return {
            key: value
            for key, value in table.items()
            if (key if isinstance(key, str) else key[at]) not in gone
        }

    return Observed(
        clusters=keep(observed.clusters, 0),
        mesh=keep(observed.mesh, 0),
        links=keep(observed.links, 0),
        apps=keep(observed.apps, 1),
        manifests=keep(observed.manifests, 0),
        traffic=keep(observed.traffic, 0),
    )


def _singles(
    verb: Verb, desired: Mapping[str, str], observed: Mapping[str, str], missing: str
) -> Iterator[Step]:
    for name, wanted in desired.items():
        if observed.get(name) != wanted:
            yield Step(verb, (name,), _CHANGED if name in observed else missing)


def _dropped(verb: Verb, desired: Mapping[str, str], observed: Mapping[str, str]) -> Iterator[Step]:
    for name in observed:
        if name not in desired:
            yield Step(verb, (name,), _DROPPED)


def _meshes(desired: Desired, observed: Observed) -> Iterator[Step]:
    for name, wanted in desired.mesh.items():
        found = observed.mesh.get(name)
        if wanted.version in ("none", "user"):
            if found != wanted:
                yield Step(Verb.PREPARE, (name,), "is not ready for apps")
        elif found is None:
            yield Step(Verb.INSTALL_MESH, (name,), "is not installed")
        elif found.version != wanted.version:
            yield Step(Verb.INSTALL_MESH, (name,), f"is version {found.version}, wanted {wanted.version}")
        elif found != wanted:
            yield Step(Verb.INSTALL_MESH, (name,), _CHANGED)


def _links(desired: Desired, observed: Observed) -> Iterator[Step]:
    restarted = {name for name in desired.clusters if name not in observed.clusters}
    upgraded = {
        name
        for name, wanted in desired.mesh.items()
        if name in observed.mesh and observed.mesh[name].version != wanted.version
    }
    for ends, wanted in desired.links.items():
        found = observed.links.get(ends)
        if found is None:
            yield Step(Verb.LINK, ends, "is not linked")
        elif ends[1] in restarted:
            yield Step(Verb.LINK, ends, f"{ends[1]} starts anew, with new credentials")
        elif found.modes != wanted.modes:
            carried, now = ", ".join(found.modes) or "nothing", ", ".join(wanted.modes)
            yield Step(Verb.LINK, ends, f"carries {carried}, wanted {now}")
        elif found != wanted:
            yield Step(Verb.LINK, ends, "its settings differ from the topology's")
        elif changed := upgraded & set(ends):
            yield Step(Verb.LINK, ends, f"{min(changed)} gets another version of the mesh")
    for ends in observed.links:
        if ends not in desired.links:
            yield Step(Verb.UNLINK, ends, _DROPPED)


def _apps(desired: Desired, observed: Observed) -> Iterator[Step]:
    for (app, cluster), wanted in desired.apps.items():
        found = observed.apps.get((app, cluster))
        if found != wanted:
            why = "is not deployed" if found is None else _CHANGED
            yield Step(Verb.DEPLOY_APP, (cluster,), why, app)
    for app, cluster in observed.apps:
        if (app, cluster) not in desired.apps:
            yield Step(Verb.REMOVE_APP, (cluster,), _DROPPED, app)


_NEEDS: Mapping[Verb, frozenset[Verb]] = {
    Verb.START_CLUSTER: frozenset({Verb.STOP_CLUSTER}),
    Verb.INSTALL_MESH: frozenset({Verb.START_CLUSTER}),
    Verb.PREPARE: frozenset({Verb.START_CLUSTER}),
    Verb.LINK: frozenset({Verb.INSTALL_MESH, Verb.PREPARE, Verb.UNLINK}),
    Verb.APPLY_MANIFESTS: frozenset({Verb.INSTALL_MESH, Verb.PREPARE}),
    Verb.DEPLOY_APP: frozenset({Verb.INSTALL_MESH, Verb.PREPARE, Verb.APPLY_MANIFESTS}),
    Verb.START_TRAFFIC: frozenset({Verb.INSTALL_MESH, Verb.PREPARE, Verb.APPLY_MANIFESTS}),
    Verb.STOP_CLUSTER: frozenset({Verb.UNLINK}),
}


def _waits_for(step: Step, steps: Iterable[Step]) -> tuple[str, ...]:
    """The steps on the same clusters that must come before this one."""
    needs = _NEEDS.get(step.verb, frozenset())
    return tuple(
        other.id for other in steps if other.verb in needs and set(other.clusters) & set(step.clusters)
    )
