"""Real labs for tests: brought up by the command line as a user would, taken down with nothing left."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.base.state import LabDir
from lab.engines.embedded.preflight import preflight

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
REAL_CLUSTERS_SECONDS = 1800.0
"""How long containers and downloads may take where the embedded engine needs seconds."""


@dataclass(frozen=True)
class Cli:
    """The `lab` command with a home of its own; `python` runs it, as whom its first words say."""

    home: Path
    python: tuple[str, ...] = (sys.executable,)
    more_env: Mapping[str, str] = field(default_factory=dict)
    engine: str = "embedded"

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "LAB_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "200", **self.more_env}

    def run(
        self, *words: str, code: int | None = 0, timeout: float = 150
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb; `code` is the exit code it must end with (None: any)."""
        if self.engine != "embedded" and words[0] in ("up", "plan", "run"):
            words, timeout = (*words, "--engine", self.engine), REAL_CLUSTERS_SECONDS
        done = subprocess.run(
            [*self.python, "-m", "lab.cli", *words],
            env=self.env,
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, f"{words}: code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a verb and go on."""
        return subprocess.Popen(
            [*self.python, "-m", "lab.cli", *words],
            env=self.env,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def json(self, *words: str) -> Any:
        """The data a verb prints with --json, whatever its verdict."""
        return json.loads(self.run(*words, "--json", code=None).stdout)


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up."""

    cli: Cli
    name: str

    @property
    def dir(self) -> LabDir:
        return LabDir(self.cli.home / self.name)

    def status(self) -> Any:
        return self.cli.json("status", "--lab", self.name)

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        return self.cli.run(words[0], *words[1:], "--lab", self.name, code=code)

    def traffic(self, cluster: str, service: str) -> Any:
        """The figures of one cluster's traffic to one service, {} while there are none."""
        rows = [s for s in self.status()["services"] if (s["cluster"], s["name"]) == (cluster, service)]
        return rows[0] if rows else {}

    def kubectl(self, cluster: str, *words: str, code: int | None = 0) -> str:
        """Output and errors of kubectl; `code` is the exit code it must end with (None: any)."""
        argv = [
            str(KUBECTL),
            f"--kubeconfig={self.dir.kubeconfig}",
            f"--context={self.name}-{cluster}",
            *words,
        ]
        done = subprocess.run(argv, text=True, capture_output=True, timeout=90, check=False)
        if code is not None:
            assert done.returncode == code, f"{words}: code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def run_client(self, cluster: str, url: str, *flags: str) -> Any:
        """The JSON body of one request from inside the cluster's load generator pod."""
        words = ("exec", "-n", "traffic", "deploy/loadgen", "-c", "loadgen", "--", "client", url, *flags)
        return json.loads(self.kubectl(cluster, *words))["body"]

    def host_pid(self) -> int:
        return int(json.loads(self.dir.host.read_text())["pid"])

    def eventually(self, what: str, check: Callable[[], object], within: float = 30) -> None:
        """Poll until `check` is truthy; failing says what was awaited and shows the state."""
        deadline = time.monotonic() + within
        while not check():
            if time.monotonic() > deadline:
                shown = self.cli.run("status", "--lab", self.name, code=None).stdout
                pytest.fail(f"{what}: not within {within:g} s\n{shown}")
            time.sleep(0.3)

    def healthy(self) -> bool:
        return bool(self.status()["state"] == "ready")


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The command line with a fresh home; skips where no lab can run. No test may leave a lab running."""
    made = _cli(tmp_path_factory)
    yield made
    left = [row["lab"] for row in made.json("list") if row["state"] == "running"]
    if left:
        made.run("down", "--all", "--purge")
    assert not left, "labs that tests left running"


def _cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    if (engine := os.environ.get("LAB_TEST_ENGINE", "embedded")) != "embedded":
        chosen = Cli(tmp_path_factory.mktemp("labs"), engine=engine)
        if reason := why_not(chosen):
            pytest.skip(f"engine {engine} cannot run here: {reason}")
        return chosen
    needed = next(finding for finding in preflight() if finding.need == "namespaces")
    if not needed.ok:
        pytest.skip(f"no namespaces here: {needed.seen}")
    return Cli(tmp_path_factory.mktemp("labs"))


def why_not(cli: Cli) -> str:
    """Why no lab of another engine can run here: what doctor misses, or an image that cannot be had."""
    (found,) = cli.json("doctor", "--engine", cli.engine)["engines"]
    if not found["usable"]:
        return "; ".join(f"{one['need']}: {one['seen']}" for one in found["findings"] if not one["ok"])
    lines = [row["command"] for row in cli.json("plan") if row["verb"] == "command"]
    for argv in (line.split() for line in lines if line.startswith("docker pull ")):
        done = subprocess.run(argv, text=True, capture_output=True, timeout=600, check=False)
        if done.returncode:
            return f"{' '.join(argv)}: {done.stderr.strip()}"
    return ""


def bring_up(cli: Cli, file: str, name: str) -> Iterator[RunningLab]:
    """A lab from a topology, gone with all its traces afterwards."""
    try:
        cli.run("up", file, "--lab", name)
        yield RunningLab(cli, name)
    finally:
        cli.run("down", "--lab", name, "--purge", code=None)


def left_behind(pid: int) -> list[str]:
    """What still runs of a lab whose host process should be gone: it and all in its namespaces.

    A zombie does not run: it waits for the machine's own init, which is not ours to hurry.
    """
    try:
        namespace = os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                is_zombie = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
                if not is_zombie and os.readlink(entry / "ns" / "pid") == namespace:
                    found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
            except OSError:
                continue  # it ended while we looked
    return found
