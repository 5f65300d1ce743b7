"""A container's view of the file system: the host's, with private folders and volumes laid over it.

A volume may sit at a path the host does not have. Then the nearest existing folder is replaced by a
tmpfs in which everything that was there appears again by bind mounts, so nothing is ever created on the
host, and it works without root. Runs in a forked child that has just got its own mount namespace.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.engines.embedded.namespaces import (
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
    pivot_root,
    put_tree,
    take_tree,
    umount,
)
from lab.pocket.node.runtime import Mount

PRIVATE_FOLDERS = ("/tmp", "/run", "/dev/shm")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
STAGING = "/tmp"
_MS_RELATIME = 1 << 21
_KEPT_FLAGS = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME


class View:
    """Builds one mount namespace; remembers which mount points are ours to create folders in."""

    def __init__(self) -> None:
        self._writable = {"/": False}

    def build(self, mounts: Sequence[Mount], keep: Iterable[str], cwd: str = "/") -> None:
        """Lay out the whole view; `keep` are host folders that stay visible wherever they are.

        The working folder is made if there is none, as container runtimes do.
        """
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        umount("/run", MNT_DETACH)  # with it go the lab's network namespaces: pods must not pin them
        ordered = sorted(mounts, key=lambda m: m.target.count("/"))
        sources = {m.target: take_tree(os.path.realpath(m.source)) for m in ordered if m.source}
        self._own_devices()
        for folder in PRIVATE_FOLDERS:
            if os.path.isdir(folder):
                self.hide(folder, keep)
        placed = [self._place(m, sources) for m in ordered]
        if not os.path.exists(cwd):
            self._create(cwd, is_folder=True)
        for target, each in zip(placed, ordered, strict=True):
            if each.read_only:
                _make_read_only(target)

    def hide(self, folder: str, keep: Iterable[str]) -> None:
        """An empty tmpfs on a folder, in which the kept host folders still appear."""
        inside = [p for p in keep if p.startswith(folder + "/") and os.path.exists(p)]
        kept = {path: take_tree(path) for path in inside}
        mount("tmpfs", folder, "tmpfs", data="mode=1777" if folder != "/run" else "mode=755")
        self._writable[folder] = True
        for path, fd in kept.items():
            self._create(path, is_folder=stat.S_ISDIR(os.fstat(fd).st_mode))
            put_tree(fd, path)
            self._writable[path] = False

    def _own_devices(self) -> None:
        """A /dev with the devices that any container has, in which files can be mounted at little cost."""
        places = {name: f"/dev/{name}" for name in DEVICES if os.path.lexists(f"/dev/{name}")}
        links = {name: os.readlink(path) for name, path in places.items() if os.path.islink(path)}
        held = {path: take_tree(path) for name, path in places.items() if name not in links}
        mount("tmpfs", "/dev", "tmpfs", data="mode=755")
        self._writable["/dev"] = True
        for path, fd in held.items():
            self._create(path, is_folder=stat.S_ISDIR(os.fstat(fd).st_mode))
            put_tree(fd, path)
            self._writable[path] = False
        for name, goal in {**links, **DEVICE_LINKS}.items():
            os.symlink(goal, f"/dev/{name}")

    def _place(self, item: Mount, sources: dict[str, int]) -> str:
        target = os.path.realpath(item.target)
        fd = sources.get(item.target, -1)
        is_folder = fd < 0 or stat.S_ISDIR(os.fstat(fd).st_mode)
        if not os.path.exists(target):
            self._create(target, is_folder=is_folder)
        if fd < 0:
            mount("tmpfs", target, "tmpfs", data="mode=1777")
        else:
            put_tree(fd, target)
        self._writable[target] = True
        return target

    def _create(self, path: str, *, is_folder: bool) -> None:
        """Make a mount point, replacing its nearest existing folder if that one is the host's."""
        parent = os.path.dirname(path)
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        if not self._writable[self._mount_point(parent)]:
            self._synthesise(parent)
        os.makedirs(path if is_folder else os.path.dirname(path), exist_ok=True)
        if not is_folder:
            Path(path).touch()

    def _mount_point(self, path: str) -> str:
        inside = [p for p in self._writable if p == "/" or path == p or path.startswith(p + "/")]
        return max(inside, key=len)

    def _synthesise(self, folder: str) -> None:
        """Replace a host folder by a tmpfs that shows the same entries."""
        entries = {e.name: e for e in os.scandir(folder)}
        base = STAGING if folder == "/" else folder
        held = {name: take_tree(entry.path) for name, entry in entries.items() if not entry.is_symlink()}
        links = {name: os.readlink(e.path) for name, e in entries.items() if e.is_symlink()}
        mount("tmpfs", base, "tmpfs", data="mode=755")
        for name, fd in held.items():
            place = os.path.join(base, name)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                os.mkdir(place)
            else:
                Path(place).touch()
            put_tree(fd, place)
        for name, goal in links.items():
            os.symlink(goal, os.path.join(base, name))
        self._writable[folder] = True
        self._writable |= {
            path: False for name in held if (path := os.path.join(folder, name)) not in self._writable
        }
        if folder == "/":
            _switch_root(base)


def _switch_root(new_root: str) -> None:
    old = os.path.join(new_root, ".old-root")
    os.mkdir(old)
    pivot_root(new_root, old)
    os.chdir("/")
    umount("/.old-root", MNT_DETACH)
    os.rmdir("/.old-root")


def _make_read_only(target: str) -> None:
    """A second mount call is needed; flags the kernel has locked must be repeated in it."""
    flags = os.statvfs(target).f_flag
    kept = flags & _KEPT_FLAGS | (_MS_RELATIME if flags & 4096 else 0)
    mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | kept)
