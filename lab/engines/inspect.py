"""What can be looked into besides an engine's states: files, kernel, proxies and packets of a lab.

`lab bundle` and `lab capture` use it. Not every engine has it; nothing here changes a lab.
"""

import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lab.base.state import LabDir


@dataclass(frozen=True)
class LogFile:
    """A log on disk. Of a container: its cluster, the uid of its pod, its name and the number of the attempt;
    of a component of the engine only the file."""

    path: Path
    cluster: str = ""
    pod_uid: str = ""
    container: str = ""
    attempt: int = 0


@dataclass(frozen=True)
class ProxyDump:
    """What one proxy said of itself, by the path that was asked; or why it said nothing."""

    namespace: str
    pod: str
    answers: Mapping[str, str]
    error: str = ""


class Inspector(Protocol):
    def logs(self, lab: LabDir) -> Iterator[LogFile]:
        """The logs of every component and container that are on disk, whether the lab runs or not."""

    def secrets(self, lab: LabDir) -> Iterator[str]:
        """The text of every file of the lab that holds a private key or a token."""

    def stored(self, lab: LabDir, cluster: str) -> list[dict[str, Any]]:
        """The objects of a cluster as its store has them on disk. Raises LabError when it cannot be read."""

    async def kernel(self, lab: LabDir) -> Mapping[str, Any]:
        """What the kernel knows of each network namespace of a running lab."""

    def proxies(self, lab: LabDir, cluster: str) -> AsyncIterator[ProxyDump]:
        """What every proxy of a running cluster says of its configuration and counters."""

    async def packets(self, lab: LabDir, cluster: str, pod_uid: str, link: str) -> socket.socket:
        """A raw socket with every packet of a link of a pod or, without pod, of the cluster's node."""
