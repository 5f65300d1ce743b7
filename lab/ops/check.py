"""`lab check` and `lab test`: the tools that watch over this repository, each run to its end.

They need a checkout with the development tools, which `python3 tasks.py` installs.
"""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.base.errors import UsageError
from lab.base.process import run
from lab.ops.answer import Answer

_MINUTES_15 = 900.0

STATIC = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
    "layers": ("lint-imports",),
}
FAST_TESTS = {"fast tests": ("pytest", "-q", "-m", "not slow and not netns", "tests/unit", "tests/cli")}
SLOW_TESTS = ["-m", "slow", "--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"]
"""Most of their time is waiting, so two files run at once (see tests/conftest.py). By number of tests a long
one would be the last, all alone."""


@dataclass(frozen=True)
class Outcome:
    """One tool's verdict on the checkout."""

    name: str
    ok: bool
    seconds: float
    output: str


def check(*, static: bool = False) -> Answer:
    """Run every tool, whatever the others say, and report all of them."""
    tools = STATIC if static else STATIC | FAST_TESTS
    outcomes = asyncio.run(_all(tools))
    rows = [{"check": one.name, "ok": one.ok, "seconds": round(one.seconds, 1)} for one in outcomes]
    return Answer(rows, _view(outcomes), all(one.ok for one in outcomes))


def test(arguments: list[str], *, slow: bool = False, engine: str = "") -> None:
    """Become pytest, so that its output and its exit code are the command's.

    Without arguments: the everyday tests, or with `slow` only those that take minutes, or with `engine` those
    of whole labs that hold on every engine.
    """
    os.chdir(checkout())
    chosen = arguments or (SLOW_TESTS if slow else ["-m", "not slow"])
    if engine:
        os.environ["LAB_TEST_ENGINE"] = engine
        chosen = ["-m", "any_engine and not embedded_only", *(arguments or ["tests/lab"])]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *chosen])


def checkout() -> Path:
    """The repository this package is run from."""
    root = Path(__file__).resolve().parent.parent.parent
    if not (root / "pyproject.toml").is_file() or not (root / "tests").is_dir():
        raise UsageError("this needs a checkout of the lab, not an installed copy", remedy="git clone it")
    return root


async def _all(tools: dict[str, tuple[str, ...]]) -> list[Outcome]:
    os.chdir(checkout())
    return [await _one(name, argv) for name, argv in tools.items()]


async def _one(name: str, argv: tuple[str, ...]) -> Outcome:
    program = Path(sys.executable).parent / argv[0]
    start = time.monotonic()
    done = await run([str(program), *argv[1:]], timeout=_MINUTES_15, check=False)
    output = (done.stdout + done.stderr).strip()
    return Outcome(name, done.code == 0, time.monotonic() - start, output)


def _view(outcomes: list[Outcome]) -> RenderableType:
    table = Table("check", "result", "seconds")
    for one in outcomes:
        table.add_row(one.name, "ok" if one.ok else "[bold red]failed", f"{one.seconds:.1f}")
    failed = [Text(f"{one.name}:\n{one.output}\n") for one in outcomes if not one.ok]
    return Group(*failed, table)
