"""`lab test --engine kind`: the tests of whole labs, on real clusters, or the reason why not."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOME = "tests/lab/test_two_clusters.py"


def test_without_docker_every_test_of_the_suite_is_skipped_with_the_reason() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", "test", "--engine", "kind", "--", SOME],
        env={**os.environ, "DOCKER_HOST": "tcp://127.0.0.1:1"},
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "engine kind cannot run here: docker: Docker does not answer" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert " skipped" in last
    assert "passed" not in last
    assert "failed" not in last
