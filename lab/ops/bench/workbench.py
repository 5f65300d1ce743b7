"""A folder of its own for the labs of one bench run, and the lab's command line used as a person would.

Everything below is taken down and deleted at the end, whatever happened.
"""

import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.log import get_logger
from lab.base.process import Completed, run
from lab.base.state import LabDir
from lab.kube.client import Client
from lab.ops.bench.processes import cpu_seconds, lab_pids
from lab.topology.load import dump
from lab.topology.model import Topology

log = get_logger(__name__)
UP_SECONDS = 150.0
COMMAND_SECONDS = 60.0


@dataclass(frozen=True)
class Workbench:
    """Labs under `home`, which no other lab shares."""

    home: Path

    async def lab(self, *words: str, timeout: float = COMMAND_SECONDS, check: bool = True) -> Completed:
        """Run `lab WORDS…`. Raises CommandError with its output when it fails."""
        argv = [sys.executable, "-m", "lab.cli", *words]
        return await run(argv, timeout=timeout, env={"LAB_HOME": str(self.home)}, check=check)

    async def timed(self, *words: str, timeout: float = COMMAND_SECONDS) -> tuple[float, Completed]:
        """How long a command takes as its caller sees it, start of the interpreter included."""
        start = time.monotonic()
        done = await self.lab(*words, timeout=timeout)
        return time.monotonic() - start, done

    async def up(self, topology: Topology) -> "Running":
        """Bring a topology up."""
        file = self.home / f"{topology.name}.yaml"
        file.write_text(dump(topology))
        seconds, done = await self.timed("up", str(file), "--json", timeout=UP_SECONDS)
        return Running(self, topology, str(file), seconds, json.loads(done.stdout))

    async def clear(self) -> None:
        """Take down whatever runs here."""
        done = await self.lab("down", "--all", "--purge", check=False)
        if done.code != 0:
            log.error("labs of the bench could not be taken down", home=self.home, error=done.stderr)


@dataclass(frozen=True)
class Running:
    """A lab that is up; `seconds` is what that took and `state` what `up` reported at its end."""

    bench: Workbench
    topology: Topology
    file: str
    seconds: float
    state: dict[str, Any]

    @property
    def dir(self) -> LabDir:
        return LabDir(self.bench.home / self.topology.name)

    @property
    def init(self) -> int:
        """The pid of the lab's init on the host."""
        return int(json.loads(self.dir.host.read_text())["pid"])

    def used(self) -> str:
        """The processor time of the lab so far, in words: what `up` cannot be faster than."""
        return f"the lab used {cpu_seconds(lab_pids(self.init)):.1f} s of processor"

    async def connect(self, cluster: str) -> Client:
        return await Client.from_kubeconfig(self.dir.kubeconfig, self.dir.context(cluster))

    async def down(self) -> float:
        """Take it down; returns the seconds that took."""
        seconds, _ = await self.bench.timed("down", "--lab", self.topology.name, "--purge")
        return seconds


@asynccontextmanager
async def workbench() -> AsyncIterator[Workbench]:
    """A new, empty folder for labs; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        bench = Workbench(Path(folder))
        try:
            yield bench
        finally:
            await bench.clear()
