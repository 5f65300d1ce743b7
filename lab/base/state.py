"""Where a lab keeps its files, and how private ones are written.

One folder per lab under `lab_home()`. Folders are 0700; files with keys or tokens are 0600 from the
first byte on. Nothing here decides what the files mean.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabError


def lab_home() -> Path:
    """The folder of all labs of this user: $LAB_HOME, else below $XDG_STATE_HOME."""
    if explicit := os.environ.get("LAB_HOME"):
        return Path(explicit)
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "multicluster-lab"


def lab_names() -> list[str]:
    """Labs that have a folder here, running or not, sorted."""
    home = lab_home()
    return sorted(p.name for p in home.iterdir() if (p / "topology.yaml").exists()) if home.is_dir() else []


def make_private(folder: Path) -> Path:
    """Create a folder (and its parents) that only its owner can enter."""
    try:
        for parent in reversed([one for one in folder.parents if not one.exists()]):
            parent.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would leave them open to all
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise LabError(
            f"cannot create {folder}: {error.strerror}", remedy="set LAB_HOME to a writable folder"
        ) from error
    return folder


def write_private(path: Path, data: bytes | str, *, mode: int = 0o600) -> None:
    """Replace a file in one step, never readable by others in between. Raises LabError (disk full …)."""
    payload = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise LabError(
            f"cannot write {path}: {error.strerror}", remedy="free some space or set LAB_HOME"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Put a folder's names on disk: without it a power cut may bring back a file that was replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The same file under a short name: Unix socket addresses hold 107 bytes, folders may be longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@dataclass(frozen=True)
class ClusterDir:
    """Files of one cluster."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "store.db"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def kubelet_socket(self) -> Path:
        return self.root / "kubelet.sock"

    @property
    def pods(self) -> Path:
        return self.root / "pods"


@dataclass(frozen=True)
class LabDir:
    """Files of one lab; `LabDir.of(name)` is the usual way to get one."""

    root: Path

    @classmethod
    def of(cls, name: str) -> "LabDir":
        return cls(lab_home() / name)

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def topology(self) -> Path:
        return self.root / "topology.yaml"

    @property
    def host(self) -> Path:
        """Facts about the running host process (JSON)."""
        return self.root / "host.json"

    @property
    def control_socket(self) -> Path:
        return self.root / "control.sock"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def inside_kubeconfig(self) -> Path:
        """The same contexts with the addresses at which pods of other clusters reach the API servers."""
        return self.root / "kubeconfig-inside"

    @property
    def claim(self) -> Path:
        """What marks all that the lab makes in clusters that are somebody else's."""
        return self.root / "claim"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.json"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def cluster(self, name: str) -> ClusterDir:
        return ClusterDir(self.root / "clusters" / name)

    def context(self, cluster: str) -> str:
        """The kubeconfig context of a cluster."""
        return f"{self.name}-{cluster}"
