"""`lab repro`: builds the lab of a bundle again, replays what happened to it, and compares the outcome.

A bundle with a verdict has its scenario run again, with its seed and as many rounds; of one without, the
faults that were in force are injected in their order and the state is compared. Order: unpack, check what is
needed, say what differs, up, replay, compare, down.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.errors import CheckFailed, EngineUnavailable, UsageError
from lab.base.state import LabDir, make_private
from lab.base.wait import pause
from lab.faults.model import Tenure
from lab.ops import fault as faults
from lab.ops.answer import Answer
from lab.ops.bundle.versions import versions
from lab.ops.doctor import doctor
from lab.ops.down import down
from lab.ops.labs import Lab, from_topology
from lab.ops.repro import compare
from lab.ops.repro.archive import unpack
from lab.ops.repro.notes import absent, brought, notes
from lab.ops.repro.recorded import Broken, Recorded, recorded
from lab.ops.run import play_rounds
from lab.ops.runs import keep
from lab.ops.status import observer
from lab.ops.up import bring_up
from lab.scenarios.verdict import Verdict
from lab.topology.model import EngineName

FOLDER = "bundle"
"""Where the files of the bundle lie in the folder of the lab, as long as that is there."""
LONGEST_PAUSE = 10.0
"""Seconds between two faults of a replay at most; who broke the lab by hand may have taken hours."""
SETTLED_WITHIN = 60.0
"""Seconds for the state to become the recorded one."""
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Asked:
    """What the command line says. `lab` "" names the lab after the recorded one."""

    lab: str = ""
    engine: EngineName | None = None
    keep: bool = False
    dry_run: bool = False


def repro(file: str, asked: Asked) -> Answer:
    """Replay a bundle. Not ok when the outcome is another one than was recorded."""
    with tempfile.TemporaryDirectory(prefix="lab-repro-") as place:
        unpacked = make_private(Path(place) / FOLDER)
        manifest = unpack(Path(file), unpacked)
        found = recorded(unpacked, manifest, asked.lab, asked.engine)
        _check(found, asked)
        said = [*notes(found, asyncio.run(versions())), *brought(found.topology, unpacked)]
        if asked.dry_run:
            return _plan(file, found, said)
        for line in said:
            sys.stderr.write(f"note: {line}\n")
        root = LabDir.of(found.topology.name).root
        make_private(root)
        try:
            shutil.move(unpacked, root / FOLDER)
            found = recorded(root / FOLDER, manifest, asked.lab, asked.engine)
            rows, verdict = _replayed(from_topology(found.topology), found)
        finally:
            if not asked.keep:
                down(root.name, purge=True)
    return _answer(file, found, said, rows, verdict)


def _check(found: Recorded, asked: Asked) -> None:
    """Refuse what cannot be replayed here, with what it needs."""
    topology = found.topology
    if found.verdict is None and found.state is None:
        raise UsageError("the bundle has neither a verdict nor a state, so there is nothing to compare with")
    if topology.engine == "existing" and asked.engine is None:
        contexts = ", ".join(one.context or name for name, one in topology.clusters.items())
        raise UsageError(
            f"the bundle was made of clusters that somebody has (contexts {contexts})",
            remedy="--engine embedded builds it here; --engine existing takes your contexts of those names",
        )
    if LabDir.of(topology.name).root.exists() and not asked.dry_run:
        raise UsageError(
            f"there is a lab {topology.name} already, and a replay begins with a new one",
            remedy=f"--lab NAME for another name, or `lab down {topology.name} --purge`",
        )
    if missing := absent(found):
        raise UsageError(
            f"the bundle needs programs that are not here: {', '.join(missing)}",
            remedy="put them into a folder of PATH",
        )
    needs = doctor(topology.engine)
    if not needs.ok:
        rows = [one for one in needs.data["engines"][0]["findings"] if not one["ok"]]
        raise EngineUnavailable(
            f"the bundle needs engine {topology.engine}, which misses "
            + "; ".join(f"{one['need']} ({one['seen']})" for one in rows),
            remedy="; ".join(filter(None, (one["remedy"] for one in rows)))
            + ("" if topology.engine == "embedded" else "; or build it on another: --engine embedded"),
        )


def _replayed(lab: Lab, found: Recorded) -> tuple[list[compare.Row], Verdict | None]:
    if found.verdict is not None:
        verdict = _run_again(lab, found)
        return compare.verdicts(found.verdict, verdict.to_json()), verdict
    assert found.state is not None, "checked"
    try:
        bring_up(lab)
    except CheckFailed as error:  # also a lab that never got healthy has a state to compare
        sys.stderr.write(f"{error}\n")
    _break_again(lab, found.faults)
    return asyncio.run(_settled(lab, found.state)), None


def _run_again(lab: Lab, found: Recorded) -> Verdict:
    bring_up(lab)
    played = play_rounds(lab, found.seed, found.rounds)
    scenario = lab.topology.scenario
    made = Verdict(lab.name, scenario.title, played, scenario.verdict)
    keep(lab.dir, made)
    return made


def _break_again(lab: Lab, standing: Sequence[Broken]) -> None:
    """Inject the faults in their order, as far apart as they were."""
    before = standing[0].since if standing else 0.0
    for one in standing:
        asyncio.run(pause(min(one.since - before, LONGEST_PAUSE)))
        before = one.since
        tenure = Tenure(f"repro:{lab.name}")
        faults.inject(one.kind, one.target, lab=lab.name, options=one.options, tenure=tenure)


async def _settled(lab: Lab, then: Mapping[str, Any]) -> list[compare.Row]:
    """The rows as soon as they are all the same, or as they are when time is up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLED_WITHIN
    async with observer(lab) as eyes:
        while True:
            rows = compare.states(then, (await eyes.look()).to_json())
            if all(row.same for row in rows) or loop.time() > deadline:
                return rows
            await pause(LOOK_EVERY)


def _plan(file: str, found: Recorded, said: Sequence[str]) -> Answer:
    name, engine = found.topology.name, found.topology.engine
    what = "runs its scenario" if found.verdict else f"injects its {len(found.faults)} faults"
    head = f"{file}: builds lab {name} on engine {engine}, {what}, and compares"
    return Answer(
        {"lab": name, "engine": engine, "notes": list(said)},
        "\n".join([head, *(f"note: {line}" for line in said)]),
    )


def _answer(
    file: str, found: Recorded, said: Sequence[str], rows: Sequence[compare.Row], verdict: Verdict | None
) -> Answer:
    same = all(row.same for row in rows)
    what = "verdict" if verdict else "state"
    head = f"{file}: the same {what}" if same else f"{file}: another {what} than was recorded"
    if verdict and found.verdict:
        then, now = found.verdict.get("verdict"), verdict.to_json()["verdict"]
        head += f" ({now})" if then == now else f" (recorded: {then}, now: {now})"
    data = {
        "file": file,
        "lab": found.topology.name,
        "same": same,
        "notes": list(said),
        "rows": compare.data(rows),
        "verdict": verdict.to_json() if verdict else None,
    }
    return Answer(data, compare.shown(rows, head), ok=same)
