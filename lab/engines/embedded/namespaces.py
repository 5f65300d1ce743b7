"""The Linux calls behind sandboxes and pods that Python 3.11 does not wrap: namespaces and mounts.

Thin: one function per system call, errors as OSError with the call and its target in the text. Called by
the launcher, by init's children and by the network worker; it decides nothing.
"""

import ctypes
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522

_SYS_OPEN_TREE, _SYS_MOVE_MOUNT = 428, 429  # the same number on every architecture
_AT_FDCWD = -100
_AT_RECURSIVE, _AT_SYMLINK_NOFOLLOW = 0x8000, 0x100
_OPEN_TREE_CLONE = 1
_FROM_EMPTY_PATH = 4

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _checked(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(fd: int, kind: int) -> None:
    """Join the namespace behind an open descriptor."""
    _checked(_libc.setns(fd, kind), f"setns(fd {fd}, {kind:#x})")


def enter(path: str, kind: int) -> None:
    """Join the namespace that a path names."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(fd, kind)
    finally:
        os.close(fd)


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2); an empty file-system type or data string is passed as NULL."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        fstype.encode() or None,
        ctypes.c_ulong(flags),
        data.encode() or None,
    )
    _checked(result, f"mount({source!r} on {target!r})")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2), lazily unless told otherwise."""
    _checked(_libc.umount2(target.encode(), flags), f"umount({target!r})")


def take_tree(path: str) -> int:
    """A copy of the mounts at a path, attached nowhere yet: a descriptor that survives a change of root."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE | _AT_SYMLINK_NOFOLLOW
    fd: int = _libc.syscall(_SYS_OPEN_TREE, _AT_FDCWD, path.encode(), flags)
    _checked(min(fd, 0), f"open_tree({path!r})")
    return fd


def put_tree(tree: int, target: str) -> None:
    """Attach such a copy on `target` and close it: a bind mount in two steps."""
    try:
        result = _libc.syscall(_SYS_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _FROM_EMPTY_PATH)
        _checked(result, f"move_mount(to {target!r})")
    finally:
        os.close(tree)


def pivot_root(new_root: str, old_root: str) -> None:
    """Make `new_root` the root; the old one appears at `old_root`."""
    number = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known for machine type {os.uname().machine}")
    _checked(_libc.syscall(number, new_root.encode(), old_root.encode()), f"pivot_root({new_root!r})")


def become_user(user: int, group: int, groups: Sequence[int]) -> None:
    """Give up being root, but for reading: this program and others may lie where only root can go."""
    os.setgroups(groups)
    os.setresgid(group, group, group)
    _checked(_libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(keep capabilities)")
    os.setresuid(user, user, user)
    if user != 0:
        kept = 1 << CAP_DAC_READ_SEARCH
        sets = struct.pack(
            "=6I", kept, kept, kept, 0, 0, 0
        )  # effective, permitted, inheritable; low and high
        _checked(_libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), sets), "capset")
        ambient = _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)
        _checked(ambient, "prctl(raise ambient capability)")


def has_many_users() -> bool:
    """Whether this user namespace has more users than the one who made it."""
    ranges = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return sum(int(count) for _inside, _outside, count in ranges) > 1


def signal_fd(numbers: Sequence[int]) -> int:
    """A descriptor that hands out these signals with their senders; they must be blocked."""
    mask = sum(1 << number - 1 for number in numbers)
    fd: int = _libc.signalfd(-1, struct.pack("=Q", mask).ljust(128, b"\0"), os.O_CLOEXEC | os.O_NONBLOCK)
    _checked(min(fd, 0), "signalfd")
    return fd


def read_sender(fd: int) -> int:
    """Who sent the next signal of such a descriptor: a pid, or 0 for somebody outside this pid namespace."""
    sender: int = struct.unpack_from("=I", os.read(fd, 128), 12)[0]
    return sender


def set_process_name(name: str) -> None:
    """What `ps` and /proc show as this process's short name (15 characters)."""
    _libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def netns_path(name: str) -> str:
    """Where a named network namespace of the lab lives."""
    return f"/run/netns/{name}"


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Run the block in the named network namespace and come back; for single-threaded processes only."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(netns_path(name), NEWNET)
        try:
            yield
        finally:
            setns(home, NEWNET)
    finally:
        os.close(home)


def make_sandbox_namespaces() -> None:
    """New namespaces for a lab; an ordinary user becomes root of a user namespace first."""
    user, group = os.geteuid(), os.getegid()
    flags = NEWNET | NEWNS | NEWPID | NEWUTS | NEWIPC
    if user == 0:
        unshare(flags)
        return
    unshare(flags | NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
