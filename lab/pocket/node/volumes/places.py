"""Where the volumes of a pod are on the node, and the making of those whose content is not the node's."""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.pocket.node.fields import BadReference
from lab.pocket.node.volumes.content import is_written

SERVED = "configMap, secret, downwardAPI, projected, emptyDir, hostPath and persistentVolumeClaim"
TYPES: Mapping[str, tuple[Callable[[Path], bool], str]] = {
    "Directory": (Path.is_dir, "a directory"),
    "DirectoryOrCreate": (Path.is_dir, "a directory"),
    "File": (Path.is_file, "a file"),
    "FileOrCreate": (Path.is_file, "a file"),
    "Socket": (Path.is_socket, "a socket file"),
    "CharDevice": (Path.is_char_device, "a character device"),
    "BlockDevice": (Path.is_block_device, "a block device"),
}
OPEN = 0o777
"""The mode of folders that belong to whatever users the containers run as."""


@dataclass(frozen=True)
class Places:
    """One pod's folders on disk and in memory, and the way to the folders of claims by name."""

    disk: Path
    memory: Path
    claim: Callable[[str], Path]
    group: int | None = None
    """The group that owns what is made here (fsGroup)."""

    def of(self, volume: Mapping[str, Any]) -> Path:
        """Where a volume's files are. Raises BadReference for a claim that is not there."""
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        if "persistentVolumeClaim" in volume:
            return self.claim(volume["persistentVolumeClaim"]["claimName"])
        memory = (volume.get("emptyDir") or {}).get("medium") == "Memory"
        return (self.memory if memory else self.disk) / "volumes" / str(volume["name"])

    def make(self, volume: Mapping[str, Any]) -> None:
        """Make the folder of a volume that the node does not write. Raises BadReference if it cannot."""
        if "hostPath" in volume:
            _check_host_path(self.of(volume), volume["hostPath"].get("type") or "")
        elif "emptyDir" in volume or "persistentVolumeClaim" in volume:
            path = self.of(volume)
            if not path.exists():
                path.mkdir(parents=True)
                path.chmod(OPEN)
                if self.group is not None:
                    os.chown(path, -1, self.group)
                    path.chmod(OPEN | stat.S_ISGID)
        elif not is_written(volume):
            kinds = ", ".join(kind for kind in volume if kind != "name")
            raise BadReference(f"volumes of type {kinds} cannot be served by a pocket cluster; {SERVED} can")


def _check_host_path(path: Path, kind: str) -> None:
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch()
    if kind in TYPES:
        fits, what = TYPES[kind]
        if not fits(path):
            raise BadReference(f"hostPath type check failed: {path} is not {what}")
