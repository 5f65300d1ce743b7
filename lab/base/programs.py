"""Where programs of others are found: on PATH, and after that in the lab's own cache.

What a user installed wins, because they meant it; the cache (`lab tools`) only fills in what is missing.
"""

import os
import shutil
from pathlib import Path


def cache() -> Path:
    """The folder of downloaded programs: $LAB_TOOLS, else in the user's cache."""
    if explicit := os.environ.get("LAB_TOOLS"):
        return Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multicluster-lab" / "bin"


def search_path() -> str:
    """PATH with the cache as its last folder."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(cache())])


def which(name: str) -> str | None:
    """Where a program is, or None."""
    return shutil.which(name, path=search_path())


def candidates(*names: str) -> tuple[str, ...]:
    """Every place where one of these programs is, the one that a shell would take first."""
    folders = [Path(folder) for folder in search_path().split(os.pathsep) if folder]
    files = [folder / name for name in names for folder in folders]
    return tuple(dict.fromkeys(str(file) for file in files if os.access(file, os.X_OK) and file.is_file()))
