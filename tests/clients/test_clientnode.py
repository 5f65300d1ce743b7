"""Programs written with @kubernetes/client-node: each file of clientnode/ is a session of its own.

Its packages are installed next to it, once, as package-lock.json pins them.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]

SOURCE = Path(__file__).parent / "clientnode"
SESSIONS = sorted(file.name for file in SOURCE.glob("*.test.mjs"))


@pytest.fixture(scope="module")
def node() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no Node.js here: install nodejs and npm to run the client-node sessions")
    installed, wanted = SOURCE / "node_modules/.package-lock.json", SOURCE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(words, cwd=SOURCE, text=True, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    return node


@pytest.mark.parametrize("session", SESSIONS)
def test_a_program_written_with_client_node(node: str, kubeconfig: Path, session: str) -> None:
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", session],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        cwd=SOURCE,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n# pass 0\n" not in done.stdout
