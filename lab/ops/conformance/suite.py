"""Builds the upstream suite with Go, and runs it against the cluster of a kubeconfig.

The suite's version is pinned by tests/conformance/go.mod. Go keeps what it downloads and compiles in its
own caches, so a second build takes seconds.
"""

import os
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from lab.base.errors import EngineUnavailable, LabError
from lab.base.process import follow, run
from lab.ops.check import checkout
from lab.ops.conformance.features import FEATURES, PROFILES, UNCOUNTED

MODULE = "sigs.k8s.io/gateway-api/conformance"
BUILD_WITHIN = 900.0
RUN_WITHIN = 600.0
_SITE = "https://multicluster.lab"


def source() -> Path:
    """The Go module that pins the suite."""
    return checkout() / "tests" / "conformance"


def pinned() -> str:
    """The suite's version. Raises LabError if the module does not name one."""
    text = (source() / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(MODULE)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise LabError(f"{source() / 'go.mod'} does not require {MODULE}")
    return found[1]


def needs_go() -> str:
    """The Go program. Raises EngineUnavailable where there is none."""
    if found := shutil.which("go"):
        return found
    raise EngineUnavailable(
        "the conformance suite is a Go program, and there is no `go` on PATH",
        remedy="install Go 1.21 or newer: https://go.dev/dl (it fetches the release that the suite needs)",
    )


async def build(go: str, folder: Path) -> Path:
    """Compile the suite into `folder`. Raises CommandError with what Go said."""
    program = folder / "conformance.test"
    env = {"GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto")}
    argv = [go, "-C", str(source()), "test", "-c", "-o", str(program), "."]
    await run(argv, timeout=BUILD_WITHIN, env=env)
    return program


async def execute(
    program: Path, kubeconfig: Path, report: Path, only: str, on_line: Callable[[str], None]
) -> int:
    """Run the suite, or its test `only`; the result is its exit code. Raises TimedOut."""
    argv = [str(program), *arguments(report), *([f"--run-test={only}"] if only else [])]
    return await follow(argv, on_line, timeout=RUN_WITHIN + 30, env={"KUBECONFIG": str(kubeconfig)})


def arguments(report: Path) -> list[str]:
    """The suite's flags, apart from which test to run."""
    return [
        "-test.run=^TestConformance$",
        "-test.v=test2json",
        f"-test.timeout={RUN_WITHIN:g}s",
        f"--conformance-profiles={','.join(PROFILES)}",
        f"--supported-features={','.join((*FEATURES, *UNCOUNTED))}",
        "--namespace-annotations=linkerd.io/inject=enabled",
        "--organization=multicluster-lab",
        "--project=multicluster-lab",
        f"--url={_SITE}",
        f"--contact={_SITE}",
        f"--version=v{version('multicluster-lab')}",
        f"--report-output={report}",
    ]
