"""Writes a volume's files so that readers see either all of the old or all of the new ones.

As upstream: files live in a dated folder, `..data` points to it and is swapped in one rename; each
name on top is a link through `..data`.
"""

import os
import shutil
import uuid
from pathlib import Path

from lab.pocket.node.volumes.content import File, Files

DATA = "..data"
GROUP_READS = 0o440
"""What fsGroup adds to the mode of a read-only volume's files."""


def write_tree(folder: Path, files: Files, group: int | None = None) -> bool:
    """Make `folder` show exactly `files`, readable to `group` if there is one; False when it already does."""
    folder.mkdir(parents=True, exist_ok=True)
    if group is not None:
        files = {name: File(file.data, file.mode | GROUP_READS) for name, file in files.items()}
    current = folder / DATA
    if current.exists() and _read(current) == files:
        return False
    fresh = folder / f"..{uuid.uuid4().hex}"
    fresh.mkdir(mode=0o755)
    for name, file in files.items():
        _write(fresh / name, file, group)
    old = folder / os.readlink(current) if current.is_symlink() else None
    swap = folder / "..data_tmp"
    swap.symlink_to(fresh.name)
    swap.replace(current)
    _link_names(folder, {name.split("/", 1)[0] for name in files})
    if old is not None:
        shutil.rmtree(old)
    return True


def _write(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(file.data)
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(file.mode)


def _read(folder: Path) -> Files:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): File(path.read_bytes(), path.stat().st_mode & 0o777) for path in found
    }


def _link_names(folder: Path, names: set[str]) -> None:
    for name in names:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for path in folder.iterdir():
        if path.is_symlink() and path.name not in names and not path.name.startswith(".."):
            path.unlink()
