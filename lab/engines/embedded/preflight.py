"""Can this machine run the embedded engine? One finding per need, each with what was seen and what to do.

`lab doctor` prints the findings; the engine quotes the one on namespaces when a sandbox cannot be made.
Looks and tries in a child; changes nothing.
"""

import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabError
from lab.base.state import lab_home
from lab.controlplane.proxy import envoy
from lab.engines.embedded import namespaces as ns
from lab.engines.embedded.wan.tun import attach

LEAST_MEMORY = 2 << 30
LEAST_DISK = 500 << 20
LEAST_FILES = 4096


@dataclass(frozen=True)
class Finding:
    """One thing the engine needs."""

    need: str
    ok: bool
    seen: str
    remedy: str = ""


def preflight() -> list[Finding]:
    """All findings, also after one that fails."""
    if sys.platform != "linux":
        return [Finding("Linux", False, platform.platform(), "run the lab on Linux or in a Linux VM")]
    return [_namespaces(), _nftables(), _tun(), _envoy(), _memory(), _files(), _disk()]


def why_no_namespaces(error: str) -> Finding:
    """The reason why this user cannot have namespaces, as far as the kernel's settings tell."""
    need = "namespaces"
    if os.geteuid() == 0:
        seen = f"{error}, although this is root: this container or sandbox lacks CAP_SYS_ADMIN"
        return Finding(need, False, seen, "run on the host, in a VM, or in a privileged container")
    settings = (
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    )
    for name, forbidding, remedy in settings:
        if _setting(name) == forbidding:
            seen = f"{error}: {name.replace('/', '.')} is {forbidding}"
            return Finding(need, False, seen, f"as root: {remedy}; or run the lab as root")
    seen = f"{error}: user namespaces are forbidden here (a seccomp filter or a container, most likely)"
    return Finding(need, False, seen, "run the lab as root, or outside of this container")


def _namespaces() -> Finding:
    error = _in_child(lambda: None)
    if error:
        return why_no_namespaces(error)
    return Finding("namespaces", True, "root" if os.geteuid() == 0 else "unprivileged user namespaces")


def _nftables() -> Finding:
    def try_it() -> None:
        from lab.engines.embedded.network.rules import drops, masquerade
        from lab.engines.embedded.nft.transaction import Nft

        nft = Nft()
        nft.commit(masquerade("10.0.0.0/8", []))
        nft.commit(drops({"x": ["10.0.0.0/8"]}))

    error = _in_child(try_it)
    if error:
        return Finding("nftables", False, error, "load the kernel modules nf_tables, nft_nat and nft_masq")
    return Finding("nftables", True, "nat and filter rules work")


def _tun() -> Finding:
    """Whether the relay can work; a lab without delay, loss and rate between clusters does not need it."""

    def try_it() -> None:
        os.close(attach("probe"))

    error = _in_child(try_it)
    seen = f"none can be had: {error}" if error else "by a relay in user space (TUN); netem is not used"
    return Finding("impaired links", True, seen)


def _envoy() -> Finding:
    try:
        return Finding("Envoy", True, str(envoy.binary()))
    except LabError as error:
        return Finding("Envoy", False, str(error), error.remedy)


def _memory() -> Finding:
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(facts["MemAvailable"].split()[0]) * 1024
    seen = f"{available / 2**30:.1f} GiB available"
    return Finding("memory", available >= LEAST_MEMORY, seen, "close programs: the lab wants 2 GiB")


def _files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard == resource.RLIM_INFINITY or hard >= LEAST_FILES
    return Finding("open files", enough, f"hard limit {hard}", f"raise it: ulimit -Hn {LEAST_FILES}")


def _disk() -> Finding:
    folder = lab_home()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 2**30:.1f} GiB free in {folder}"
    return Finding("disk", free >= LEAST_DISK, seen, "free some space or point LAB_HOME elsewhere")


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""


def _in_child(work: Callable[[], None]) -> str:
    """Run something in fresh namespaces, in a child; returns the error in words, or nothing."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            ns.make_sandbox_namespaces()
            work()
        except OSError as error:
            os.write(write, (error.strerror or str(error)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text
