"""Can this machine hold kind clusters? One finding per need, with what was seen and what to do.

`lab doctor` prints all; the engine asks for those that count before it creates anything. It
looks, and changes nothing.
"""

import shutil
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base import process, programs
from lab.base.errors import LabError
from lab.engines.kind.daemon import Daemon
from lab.engines.kind.images import DIGESTS, release_of

INSTANCES_PER_CLUSTER, LEAST_INSTANCES = 128, 256
WATCHES_PER_CLUSTER, LEAST_WATCHES = 48 * 1024, 96 * 1024
MEMORY_PER_CLUSTER = 1 << 30
DISK_PER_CLUSTER = 2 << 30
LEAST_API = (1, 41)
"""kind asks for private cgroup namespaces, which came with it (Docker 20.10)."""
KIND_PAGE = "https://kind.sigs.k8s.io/docs/user/quick-start"


@dataclass(frozen=True)
class Finding:
    """One thing the engine needs."""

    need: str
    ok: bool
    seen: str
    remedy: str = ""


async def preflight() -> list[Finding]:
    """All findings, also after one that fails, for a lab of two clusters."""
    found = [await _kind()]
    try:
        async with await Daemon.connect() as daemon:
            info = await daemon.info()
            return [_api(info), _cgroups(info), *found, *await limits(daemon, ["a", "b"])]
    except LabError as error:
        return [
            Finding("docker", False, str(error), error.remedy),
            *found,
            *_inotify(2),
            _memory(2),
            _ports(2),
        ]


async def limits(daemon: Daemon, clusters: Sequence[str]) -> list[Finding]:
    """What so many new clusters need of this machine."""
    count = len(set(clusters))
    info = await daemon.info()
    folder = Path(str(info.get("DockerRootDir") or "/"))
    return [*_inotify(count), _memory(count), _disk(folder, count), _ports(count)]


def memory_available() -> int:
    """Bytes that programs can still have."""
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) * 1024


async def _kind() -> Finding:
    if not programs.which("kind"):
        return Finding("kind", False, "not on PATH", f"`lab tools kind` fetches it; or see {KIND_PAGE}")
    try:
        said = (await process.run(("kind", "version"), timeout=10)).stdout.strip()
    except LabError as error:
        return Finding("kind", False, str(error), f"see {KIND_PAGE}")
    release = release_of(said)
    known = ", ".join(DIGESTS.get(release, {}))
    images = f"node images for Kubernetes {known}" if known else "its own node image, no other is known here"
    return Finding("kind", True, f"{release or said}: {images}")


def _api(info: dict[str, Any]) -> Finding:
    version = tuple(int(part) for part in str(info["ApiVersion"]).split("."))
    seen = f"{info.get('ServerVersion')}, API {info['ApiVersion']}"
    return Finding("docker", version >= LEAST_API, seen, "update Docker to 20.10 or newer")


def _cgroups(info: dict[str, Any]) -> Finding:
    """Node images from Kubernetes 1.35 on need the second version of control groups."""
    version, driver = str(info.get("CgroupVersion") or "1"), info.get("CgroupDriver")
    remedy = 'boot with systemd.unified_cgroup_hierarchy=1, or choose `kind: {kubernetes: "1.34"}`'
    return Finding("control groups", version == "2", f"version {version}, driver {driver}", remedy)


def _inotify(count: int) -> list[Finding]:
    """Each node watches files for containerd, kubelet and every pod; Linux's defaults run out at two."""
    needs = {
        "max_user_instances": max(LEAST_INSTANCES, count * INSTANCES_PER_CLUSTER),
        "max_user_watches": max(LEAST_WATCHES, count * WATCHES_PER_CLUSTER),
    }
    return [_setting(f"fs.inotify.{name}", least) for name, least in needs.items()]


def _setting(name: str, least: int) -> Finding:
    path = Path("/proc/sys", *name.split("."))
    try:
        value = int(path.read_text())
    except (OSError, ValueError) as error:
        return Finding(name, False, f"cannot be read: {error}", "run the lab on Linux")
    return Finding(name, value >= least, f"{value}, wanted {least}", f"sudo sysctl -w {name}={least}")


def _memory(count: int) -> Finding:
    available, least = memory_available(), count * MEMORY_PER_CLUSTER
    seen = f"{available / 2**30:.1f} GiB available, wanted {least >> 30}"
    return Finding("memory", available >= least, seen, "close programs, or use fewer clusters or nodes")


def _disk(folder: Path, count: int) -> Finding:
    least = count * DISK_PER_CLUSTER
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 2**30:.1f} GiB free in {folder}, wanted {least >> 30}"
    return Finding("disk", free >= least, seen, "free some space: `docker system df` says what Docker holds")


def _ports(count: int) -> Finding:
    """Each API server is published on a free port of this machine, which kind chooses."""
    try:
        with ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", 0))
    except OSError as error:
        remedy = "widen net.ipv4.ip_local_port_range, or end what holds them: `ss -tan | wc -l`"
        return Finding("ports", False, f"none free on 127.0.0.1: {error.strerror}", remedy)
    return Finding("ports", True, f"{count} free on 127.0.0.1")
