"""Linkerd's releases: how they are called, and what differs between them for an installation. Pure.

Sources: linkerd2's release notes (managed controllers since edge-25.4.4, which became 2.18), the website's
matrix of chart versions, and the CLI reference of 2.14 and 2.20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.base.errors import LabError
from lab.topology.model import MeshVersion

_EDGE = re.compile(r"edge-(\d+)\.(\d+)\.(\d+)")
_NUMBERED = re.compile(r"(?:stable|enterprise)-2\.(\d+)\.(\d+)")
_MANAGED_EDGE = (25, 4, 4)
_MANAGED_MINOR = 18


@dataclass(frozen=True)
class Release:
    """One release of Linkerd: `name` is what its CLI says and what its images are tagged with.

    `managed`: mirror controllers come with the extension, links with `link-gen`, and the Gateway API's
    definitions must be there first. Before that, `link` brings the controller, the release the definitions.
    """

    name: str
    managed: bool

    def __str__(self) -> str:
        return self.name

    def is_wanted(self, version: MeshVersion) -> bool:
        """Whether it is what a topology means by `mesh.version`."""
        if version == "latest":
            return self.managed
        return self.name.startswith(f"stable-{version}.")


@dataclass(frozen=True)
class Charts:
    """Helm's names for a release: where its charts are, and their versions."""

    repository: str
    crds: str
    control_plane: str
    multicluster: str


PINNED: Mapping[MeshVersion, str] = {"latest": "edge-26.8.3", "2.14": "stable-2.14.10"}
"""The release that is taken where nothing says which: what `lab tools` fetches and charts are taken of."""
_STABLE_CHARTS = {
    "stable-2.14.10": Charts("https://helm.linkerd.io/stable", "1.8.0", "1.16.11", "30.11.11"),
}


def parse(said: str) -> Release:
    """The release of what `linkerd version --client --short` says. Raises LabError for other words."""
    if found := _EDGE.search(said):
        return Release(found[0], tuple(map(int, found.groups())) >= _MANAGED_EDGE)
    if found := _NUMBERED.search(said):
        return Release(found[0], int(found[1]) >= _MANAGED_MINOR)
    raise LabError(
        f"`linkerd version --client --short` says {said.strip()[:80]!r}, which is no release",
        remedy="install a released CLI: `lab tools linkerd`",
    )


def charts(release: Release) -> Charts:
    """The charts of a release; those of edge releases are numbered as the release is, with the whole year."""
    if found := _EDGE.fullmatch(release.name):
        version = f"20{found[1]}.{int(found[2])}.{int(found[3])}"
        return Charts("https://helm.linkerd.io/edge", version, version, version)
    if release.name in _STABLE_CHARTS:
        return _STABLE_CHARTS[release.name]
    raise LabError(
        f"no charts are known for {release}", remedy=f"known: edge releases, {', '.join(_STABLE_CHARTS)}"
    )
