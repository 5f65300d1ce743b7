"""What the node asks of whatever runs its containers.

The node (kubelet) decides; a runtime carries out. The embedded engine implements this protocol over
the lab's init process; tests implement it in memory. Containers outlive the node process: after a
restart the node calls `containers()` and adopts what is still running.
"""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Sandbox:
    """One pod's shared surroundings: a network namespace on the cluster's pod network."""

    pod_uid: str
    namespace: str
    name: str
    hostname: str
    ip: str


@dataclass(frozen=True)
class Mount:
    """A host path (`source`) shown to a container at `target`; an empty source is a fresh tmpfs."""

    target: str
    source: str
    read_only: bool = False


@dataclass(frozen=True)
class Container:
    """Everything needed to start one container once; `id` is `<pod uid>/<container>/<attempt>`."""

    id: str
    pod_uid: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""
    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    stdin: bool = False
    stdin_once: bool = False
    """The first client's end of input is the program's."""
    tty: bool = False
    memory: int = 0
    cpu: float = 0.0
    """Limits in bytes and processors; 0 is none."""


@dataclass(frozen=True)
class ContainerState:
    """A container as the runtime sees it; times are Unix seconds, `exit_code` is None while it runs.

    An exit by signal N is code 128 + N, as container runtimes report it; `oom_killed` says that the
    kernel killed it for want of memory.
    """

    id: str
    pod_uid: str
    pid: int
    started_at: float
    exit_code: int | None = None
    finished_at: float | None = None
    oom_killed: bool = False


@dataclass(frozen=True)
class Exec:
    """A command run inside a running container; `fds` are the caller's ends of stdin, stdout, stderr.

    With `tty` one pseudo-terminal serves all three. The caller closes the descriptors.
    """

    id: str
    fds: tuple[int, ...]


class UnknownImage(Exception):
    """No local program stands for this image; the text says how to map it in the topology."""


class PodRuntime(Protocol):
    """The runtime the node needs; all methods are idempotent unless they say otherwise."""

    async def sandbox(self, pod_uid: str, namespace: str, name: str, hostname: str) -> Sandbox:
        """Make (or find) the pod's sandbox and give it an address from the pod network."""

    async def remove_sandbox(self, pod_uid: str) -> None:
        """Kill what still runs in the sandbox, drop it with its records and free its address."""

    async def start(self, container: Container) -> ContainerState:
        """Start a container. Raises UnknownImage, or LabError with the reason it cannot start."""

    async def signal(self, container_id: str, signum: int) -> None:
        """Send a signal to the container's first process; a container that has ended is left alone."""

    async def exec(self, container_id: str, argv: Sequence[str], *, tty: bool) -> Exec:
        """Run a command in the container's namespaces; its end arrives as an event under its id."""

    async def attach(self, container_id: str) -> int:
        """The caller's own end of a container's input (its terminal with `tty`); it must have `stdin`."""

    def connector(self, pod_uid: str) -> socket.socket:
        """A TCP socket inside the pod's network, connected to nothing yet."""

    async def containers(self) -> list[ContainerState]:
        """All containers of this cluster, running or ended but not yet removed."""

    async def resize(self, exec_id: str, columns: int, rows: int) -> None:
        """Set the terminal size of an exec or a container with `tty`."""

    def events(self) -> AsyncIterator[ContainerState]:
        """Ends of containers and execs, as they happen (from the moment of the call)."""
        ...
