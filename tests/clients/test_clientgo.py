"""Programs written with client-go: each test of clientgo/ is a session of its own.

The program is built once, with what Go has in its own caches; go.sum pins what it downloads.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]

SOURCE = Path(__file__).parent / "clientgo"
SESSIONS = [
    name
    for file in sorted(SOURCE.glob("*_test.go"))
    for name in re.findall(r"\nfunc (Test\w+)", file.read_text())
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go here: install golang to run the client-go sessions")
    made = tmp_path_factory.mktemp("clientgo") / "sessions"
    done = subprocess.run(
        [go, "test", "-c", "-o", str(made), "."], cwd=SOURCE, text=True, capture_output=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.parametrize("session", SESSIONS)
def test_a_program_written_with_client_go(program: Path, kubeconfig: Path, session: str) -> None:
    done = subprocess.run(
        [str(program), "-test.v", f"-test.run=^{session}$", "-test.timeout=100s"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        cwd=SOURCE,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"--- PASS: {session}" in done.stdout
