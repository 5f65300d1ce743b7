"""What a lab ran on: the lab itself, every Python distribution, Envoy, the kernel and the machine."""

import hashlib
import os
import platform
import re
import sys
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import lab as package
from lab.base.errors import LabError
from lab.base.process import run
from lab.topology.model import Topology

_SECONDS = 10.0


async def versions() -> dict[str, Any]:
    """JSON-ready; what cannot be found out is empty. Nothing here names the machine or its user."""
    return {
        "lab": {"version": version("multicluster-lab"), "commit": await _commit()},
        "python": platform.python_version(),
        "envoy": await _envoy(),
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": _machine(),
        "distributions": {
            one.metadata["Name"]: one.version
            for one in sorted(distributions(), key=lambda one: str(one.metadata["Name"]).lower())
        },
    }


async def versions_of(topology: Topology) -> dict[str, str]:
    """What a verdict on this topology came about on, by name; what cannot be found out is left out."""
    embedded = topology.engine == "embedded"
    commit = await _commit()
    found = {
        "lab": version("multicluster-lab"),
        "commit": commit[:12] + "+" * commit.endswith("+"),
        "engine": topology.engine,
        "mesh": f"{'as Linkerd' if embedded else 'Linkerd'} {topology.mesh.version}",
        "python": platform.python_version(),
        "envoy": await _envoy() if embedded else "",
        "kernel": f"{platform.system()} {platform.release()}",
    }
    return {name: said for name, said in found.items() if said}


async def _commit() -> str:
    """The commit of the checkout that the lab runs from, with a + when files differ from it."""
    git = ("git", "-C", os.path.dirname(os.path.dirname(package.__file__)))
    try:
        head = await run([*git, "rev-parse", "HEAD"], timeout=_SECONDS)
        changed = await run([*git, "status", "--porcelain", "--untracked-files=no"], timeout=_SECONDS)
    except LabError:
        return ""  # no git, no checkout, or another user's: the version has to do
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


async def _envoy() -> str:
    from lab.controlplane.proxy.envoy import binary

    try:
        said = (await run([str(binary()), "--version"], timeout=_SECONDS)).stdout
    except LabError:
        return ""
    found = re.search(r"version: [0-9a-f]+/([^/\s]+)/", said)
    return found[1] if found else said.strip()


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "architecture": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memoryMiB": memory >> 20,
        "load": [round(one, 2) for one in os.getloadavg()],
        "root": os.geteuid() == 0,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "")
        if sys.platform == "linux" and Path("/etc/os-release").exists()
        else platform.platform(),
    }


def program(argv: tuple[str, ...], found: str | None) -> dict[str, str]:
    """A program that an image or a step stands for: its name, and the hash of the file it is here."""
    known = {"name": Path(argv[0]).name, "sha256": ""}
    if found:
        known["sha256"] = hashlib.sha256(Path(found).read_bytes()).hexdigest()
    return known
