"""`conformance`: the Gateway API's own conformance suite, its mesh tests, against a lab of ours.

Order: Go, build, lab up, suite, verdict, lab down. The lab is one of its own that goes away afterwards,
unless it is to be kept; a lab that the user names is used as it is and stays.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.base.errors import CheckFailed, LockHeld
from lab.base.wait import until
from lab.kube.errors import NotFound
from lab.kube.kinds import NAMESPACES
from lab.ops.answer import Answer
from lab.ops.conformance import suite
from lab.ops.conformance.outcome import PASSED, Outcome, Reading, profiles, reason
from lab.ops.down import down
from lab.ops.labs import Lab, find, from_file
from lab.ops.progress import Progress
from lab.ops.up import up

TOPOLOGY = "lab.yaml"
LEFTOVERS = ("gateway-conformance-mesh", "gateway-conformance-mesh-consumer")
GONE_WITHIN = 60.0


def conformance(*, lab: str = "", test: str = "", keep: bool = False, report: str = "") -> Answer:
    """Run all mesh tests, or `test` alone; `report` also gets the suite's own report (YAML).

    Raises EngineUnavailable without Go, CheckFailed when the suite could not test anything.
    """
    go = suite.needs_go()
    with tempfile.TemporaryDirectory(prefix="lab-conformance-") as folder:
        with Progress() as progress:
            progress("suite", f"building {suite.MODULE} {suite.pinned()} (the first time takes minutes)")
            program = asyncio.run(suite.build(go, Path(folder)))
        file = str(suite.source() / TOPOLOGY)
        target = find(lab) if lab else from_file(file)
        try:
            if not lab:
                up(file)
            written = Path(folder) / "report.yaml"
            reading = asyncio.run(_run(target, program, written, test))
            if report:
                Path(report).write_text(written.read_text())
            # A run of one test counts all others as skipped, which says nothing.
            said = {} if test else yaml.safe_load(written.read_text())
            return _answer(target, reading, profiles(said))
        except LockHeld:
            keep = True  # the lab is somebody else's at the moment
            raise
        finally:
            if not lab and not keep:
                down(target.name, purge=True)


async def _run(lab: Lab, program: Path, report: Path, test: str) -> Reading:
    with Progress() as progress:
        reading = Reading(lambda name: name == test if test else name.startswith("Mesh"), progress)
        await _clear(lab)
        try:
            code = await suite.execute(program, lab.dir.kubeconfig, report, test, reading.read)
        finally:
            await _clear(lab)
    if not reading.outcomes:
        said = "\n".join(reason(reading.unclaimed))
        raise CheckFailed(f"the suite ended with code {code} before it tested anything:\n{said}")
    return reading


async def _clear(lab: Lab) -> None:
    """Delete what a run leaves in the cluster when it is interrupted, and wait until it is gone."""
    async with await lab.connect(next(iter(lab.topology.clusters))) as client:
        for name in LEFTOVERS:

            async def is_gone(name: str = name) -> bool:
                try:
                    await client.delete(NAMESPACES, name)
                except NotFound:
                    return True
                return False

            await until(is_gone, timeout=GONE_WITHIN, what=f"namespace {name} is gone", every=0.2)


def _answer(lab: Lab, reading: Reading, counts: list[dict[str, Any]]) -> Answer:
    passed = all(one.result == PASSED for one in reading.outcomes)
    data = {
        "lab": lab.name,
        "suite": suite.pinned(),
        "passed": passed,
        "tests": [_row(one) for one in reading.outcomes],
        "profiles": counts,
    }
    return Answer(data, _view(reading.outcomes, data), passed)


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {
        "test": outcome.name,
        "result": outcome.result,
        "seconds": round(outcome.seconds, 2),
    }
    return row | ({"said": list(outcome.said)} if outcome.said else {})


def _view(outcomes: list[Outcome], data: dict[str, Any]) -> RenderableType:
    table = Table("test", "result", "seconds")
    for one in outcomes:
        table.add_row(
            one.name, one.result if one.result == PASSED else f"[bold red]{one.result}", f"{one.seconds:.1f}"
        )
    quoted = [Text("\n  ".join([f"{one.name}:", *one.said])) for one in outcomes if one.said]
    counts = [Text(_sentence(one)) for one in data["profiles"]]
    failed = sum(one.result != PASSED for one in outcomes)
    verdict = (
        f"{len(outcomes)} tests of {data['suite']}, {f'{failed} not passed' if failed else 'all passed'}"
    )
    return Group(table, *quoted, *counts, Text(verdict))


def _sentence(profile: dict[str, Any]) -> str:
    """`MESH-HTTP: core 7 of 7, extended 7 of 7 (9 features)`"""
    parts = []
    for part in ("core", "extended"):
        if counts := profile.get(part):
            parts.append(f"{part} {counts['passed']} of {sum(counts.values())}")
    features = profile["extendedFeatures"]
    return f"{profile['profile']}: {', '.join(parts)}" + (f" ({len(features)} features)" if features else "")
