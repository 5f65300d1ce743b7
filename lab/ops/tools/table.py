"""Programs of others that the lab uses: what for, which release it was made for, and where that is. Pure.

The only place with addresses for downloads. A release's checksum is the one that its makers publish beside
it, so it is fetched with it: that guards against damage on the way, not against a release that is bad itself.
"""

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lab.base.errors import LabError, UsageError
from lab.engines.kind.images import NEWEST as KIND
from lab.mesh.linkerd.release import PINNED
from lab.topology.problem import did_you_mean, listed

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_GITHUB = "https://github.com/{repository}/releases/download/{tag}/"


@dataclass(frozen=True)
class Tool:
    """One program. `url` has {arch} in it; its checksum is at the same address with `checksum` behind it.
    `member` is the program's path in an archive, empty where the file is the program."""

    name: str
    purpose: str
    release: str
    url: str
    checksum: str
    asks_version: tuple[str, ...]
    member: str = ""
    is_needed: bool = True

    @property
    def program(self) -> str:
        """What the program is called on PATH."""
        return self.name.partition("-")[0]

    def source(self, machine: str) -> str:
        """The URL for a machine, as `uname -m` calls it. Raises LabError for one without releases."""
        if machine not in _ARCHITECTURES:
            raise LabError(
                f"no release of {self.name} for {machine} is known here", remedy="build it yourself"
            )
        return self.url.format(arch=_ARCHITECTURES[machine])

    def inside(self, machine: str) -> str:
        """The path of the program in the archive for a machine."""
        return self.member.format(arch=_ARCHITECTURES[machine])


def _linkerd(name: str, release: str, *, is_needed: bool) -> Tool:
    base = _GITHUB.format(repository="linkerd/linkerd2", tag=release)
    return Tool(
        name,
        "installs, links and checks Linkerd",
        release,
        f"{base}linkerd2-cli-{release}-linux-{{arch}}",
        ".sha256",
        ("version", "--client", "--short"),
        is_needed=is_needed,
    )


TOOLS = (
    Tool(
        "kind",
        "makes the clusters of engine kind",
        f"v{KIND}",
        _GITHUB.format(repository="kubernetes-sigs/kind", tag=f"v{KIND}") + "kind-linux-{arch}",
        ".sha256sum",
        ("version",),
    ),
    Tool(
        "kubectl",
        "for you: the lab speaks to clusters without it",
        "v1.36.4",
        "https://dl.k8s.io/release/v1.36.4/bin/linux/{arch}/kubectl",
        ".sha256",
        ("version", "--client"),
    ),
    _linkerd("linkerd", PINNED["latest"], is_needed=True),
    _linkerd("linkerd-2.14", PINNED["2.14"], is_needed=False),
    Tool(
        "helm",
        "renders Linkerd's charts where its CLI is missing",
        "v3.20.0",
        "https://get.helm.sh/helm-v3.20.0-linux-{arch}.tar.gz",
        ".sha256sum",
        ("version", "--short"),
        member="linux-{arch}/helm",
        is_needed=False,
    ),
)


def chosen(names: Iterable[str]) -> tuple[Tool, ...]:
    """The tools of these names; of none, those that everybody needs. Raises UsageError for an unknown one."""
    known = {tool.name: tool for tool in TOOLS}
    for name in names:
        if name not in known:
            raise UsageError(f'no tool "{name}"', remedy=did_you_mean(name, known) or listed(known))
    return tuple(known[name] for name in names) or tuple(tool for tool in TOOLS if tool.is_needed)


def digest_in(text: str, source: str) -> str:
    """The SHA-256 of a published checksum file: alone, or as sha256sum writes it. Raises LabError."""
    found = re.match(r"\s*([0-9a-fA-F]{64})\b", text)
    if not found:
        raise LabError(f"{source} holds no SHA-256: {text.strip()[:80]!r}")
    return found[1].lower()


def machine() -> str:
    """What `uname -m` says here."""
    return platform.machine()
