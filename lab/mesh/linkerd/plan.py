"""What has to be done for Linkerd in one cluster, from what is there: install, upgrade, link, remove. Pure.

`mesh` asks the cluster and has the acts performed; `lab plan` prints them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.base.shipped import MANIFESTS
from lab.kube.record import LISTS
from lab.mesh.linkerd import programs
from lab.mesh.linkerd.acts import (
    Act,
    ApplyFiles,
    GiveAddress,
    MakeIssuer,
    Place,
    Remove,
    RemoveMirrors,
    Render,
    WaitReady,
    WriteLink,
)
from lab.mesh.linkerd.programs import EXTENSION, Program, Settings
from lab.mesh.linkerd.release import Release
from lab.mesh.protocol import LinkSpec

GATEWAY_API, NAMESPACES, CONTROL_PLANE, MULTICLUSTER, METRICS = (
    f"{entry}{LISTS}"
    for entry in ("gateway-api", "linkerd-namespaces", "linkerd", EXTENSION, "linkerd-metrics")
)
"""Entries of the record of what the lab created in a cluster; links and definitions have one each."""
_LINK, _CRDS = "linkerd-link-", "linkerd-crds-"


@dataclass(frozen=True)
class Found:
    """What is there of Linkerd. `installed` is the release of a whole installation, empty otherwise."""

    begun: bool = False
    installed: str = ""
    issuer_is_good: bool = False
    has_gateway_api: bool = False


def entry_of(target: str) -> str:
    """The record's entry for the link to a cluster."""
    return f"{_LINK}{target}{LISTS}"


def crds_of(release: Release) -> str:
    """The record's entry for the definitions that a release brought. Each has its own, as none is deleted
    because the next release does not have it: its objects would go with it."""
    return f"{_CRDS}{release}{LISTS}"


def is_crds(entry: str) -> bool:
    """Whether an entry is one of those."""
    return entry.startswith(_CRDS)


def target_of(entry: str) -> str:
    """The cluster of an entry for a link, empty for other entries."""
    return entry.removeprefix(_LINK).removesuffix(LISTS) if entry.startswith(_LINK) else ""


def install(program: Program, place: Place, settings: Settings, found: Found) -> tuple[Act, ...]:
    """Everything from what is there to this program's release, control plane first.

    A whole installation is upgraded; one that was interrupted is written over, which the CLI refuses unless
    it is told not to look.
    """
    verb = "upgrade" if found.installed else "install --ignore-cluster" if found.begun else "install"
    needs_issuer = not found.issuer_is_good
    acts: list[Act] = []
    if program.release.managed and not found.has_gateway_api:
        acts.append(ApplyFiles(place, GATEWAY_API, (MANIFESTS / "gateway-api",)))
    if needs_issuer or program.kind == "helm":
        acts.append(MakeIssuer(place))
    if program.kind == "helm":
        acts.append(ApplyFiles(place, NAMESPACES, _NAMESPACES))
    control_plane = programs.control_plane(program, place, verb, issuer=needs_issuer)
    return (
        *acts,
        Render(place, crds_of(program.release), programs.crds(program, place, verb)),
        Render(place, CONTROL_PLANE, control_plane),
        WaitReady(place, "linkerd"),
        *extension(program, place, settings),
    )


def extension(program: Program, place: Place, settings: Settings) -> tuple[Act, ...]:
    """The multicluster extension with the controllers of all links of this cluster."""
    rendered = Render(place, MULTICLUSTER, programs.multicluster(program, place, settings))
    if program.release.managed:
        return (rendered,)
    return (rendered, ApplyFiles(place, METRICS, (MANIFESTS / "linkerd-metrics",)))


def link(
    program: Program, source: Place, target: Place, spec: LinkSpec, addresses: tuple[str, ...] = ()
) -> tuple[Act, ...]:
    """Let the source mirror the target's services; what another release's link left is taken away."""
    entry = entry_of(target.name)
    address = (GiveAddress(target, addresses),) if spec.has_gateway else ()
    if program.kind == "helm":
        return (*address, WriteLink(source, entry, target, spec))
    return (*address, Render(source, entry, programs.link(program, target, spec)))


def unlink(source: Place, target: str) -> tuple[Act, ...]:
    """Take a link away: before this the extension's controller for it, after it the mirrors it leaves."""
    return (Remove(source, entry_of(target)), RemoveMirrors(source, target))


def uninstall(place: Place, entries: Iterable[str]) -> tuple[Act, ...]:
    """Take away all that the record's entries tell of, the last first."""
    known = list(entries)
    links = [act for entry in known if (target := target_of(entry)) for act in unlink(place, target)]
    rest = (METRICS, MULTICLUSTER, CONTROL_PLANE, NAMESPACES, *filter(is_crds, known), GATEWAY_API)
    return (*links, *(Remove(place, entry) for entry in rest if entry in known))


_NAMESPACES: tuple[Path, ...] = tuple(
    MANIFESTS / folder / "namespace.yaml" for folder in ("linkerd", EXTENSION)
)
