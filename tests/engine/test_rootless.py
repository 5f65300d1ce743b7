"""The same sandbox for an ordinary user: run by `setpriv` as a user without any right."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

import lab as package
from lab.base.process import run

pytestmark = pytest.mark.netns
USER = 65534
PROGRAM = """
import asyncio, sys
from pathlib import Path
from lab.base.state import LabDir
from lab.engines.embedded.engine import EmbeddedEngine
from lab.engines.protocol import EngineFault
from lab.plan.addresses import addresses
from lab.topology.model import Topology

async def main():
    engine, lab = EmbeddedEngine(), LabDir(Path(sys.argv[1]) / "rootless")
    topology = Topology.model_validate({"name": "rootless", "clusters": {"west": {}, "east": {}}})
    try:
        await engine.ensure(lab, addresses(topology), lambda where, what: None)
        await engine.apply_fault(lab, EngineFault("partition", frozenset({"west"}), frozenset({"east"})))
        await engine.apply_fault(lab, EngineFault("pause", frozenset({"east"})))
        state = await engine.observe(lab)
        print(sorted(state.clusters), len(state.faults.drops), sorted(state.faults.paused))
    finally:
        await engine.remove(lab)

asyncio.run(main())
"""


def interpreter() -> tuple[str, dict[str, str]]:
    """A Python that other users may run, with what it needs to find the project."""
    packages = ":".join(p for p in sys.path if p.endswith("site-packages"))
    source = str(Path(package.__file__).parent.parent)
    name = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    return name, {"PYTHONPATH": f"{packages}:{source}"}


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
@pytest.mark.skipif(not Path(interpreter()[0]).exists(), reason="no Python that other users can run")
async def test_an_ordinary_user_runs_a_lab() -> None:
    python, path = interpreter()
    home = tempfile.mkdtemp(prefix="lab-rootless-")
    os.chown(home, USER, USER)
    identity = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    try:
        done = await run(
            ["setpriv", *identity, python, "-c", PROGRAM, home],
            timeout=60,
            env={"LAB_HOME": home, "HOME": home, **path},
            check=False,
        )
    finally:
        shutil.rmtree(home)
    if "EngineUnavailable" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert (done.stdout.strip(), done.code) == ("['east', 'west'] 2 ['east']", 0), done.stderr
