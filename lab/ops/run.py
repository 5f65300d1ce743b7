"""Runs a topology's scenario on its lab and gives the verdict.

Order: up, steady state, steps, healing, the generators' records, verdict. Whatever happens on the way,
also Ctrl-C, the faults are healed, and a lab that was not up before is taken down again unless kept.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.base import process
from lab.base.errors import CheckFailed, UsageError
from lab.base.wait import pause
from lab.faults.ledger import Ledger
from lab.kube.manifests import apply_all, read
from lab.ops import fault
from lab.ops.answer import Answer
from lab.ops.down import down
from lab.ops.labs import Lab, from_file
from lab.ops.progress import Progress
from lab.ops.up import bring_up
from lab.scenarios.calls import fetch
from lab.scenarios.course import Course, Window
from lab.scenarios.judge import BASELINE, Outcome, judge, measured
from lab.scenarios.play import play
from lab.scenarios.report import Round, Verdict, junit, problems, render
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS
from lab.topology.model import EngineName, Topology
from lab.topology.scenario import Bound, Measures, Step

PROGRAM_LIMIT = 300.0
"""Seconds for the program of one step."""
STEADY = Bound(">=", 0.99)
"""Success of all traffic that is judged, where a scenario does not say what is steady."""


@dataclass(frozen=True)
class Rehearsal:
    """What the command line says about a run."""

    lab: str = ""
    engine: EngineName | None = None
    keep: bool = False
    repeat: int = 1
    junit: str = ""


def run(file: str, asked: Rehearsal) -> Answer:
    """Run the scenario in a topology file. Not ok when an expectation fails."""
    lab = from_file(file, asked.lab, asked.engine)
    scenario = lab.topology.scenario
    if not scenario.expect:
        raise UsageError(
            f"{file} has no scenario", remedy="add `scenario:` with steps and expectations to it"
        )
    if asked.repeat < 1:
        raise UsageError(f"--repeat {asked.repeat}: at least one round is needed")
    if not Path(asked.junit).parent.is_dir():
        raise UsageError(f"--junit {asked.junit}: there is no folder {Path(asked.junit).parent}")
    was_running, was_there = lab.engine.is_running(lab.dir), lab.dir.root.exists()
    if was_running:
        _refuse_faults(lab)
    try:
        bring_up(lab)
        rounds = tuple(_round(lab) for _ in range(asked.repeat))
    finally:
        if not was_running and not asked.keep and lab.dir.root.exists():
            down(lab.name, purge=not was_there)
    verdict = Verdict(lab.name, scenario.title, rounds)
    if asked.junit:
        Path(asked.junit).write_text(junit(verdict), encoding="utf-8")
    return Answer(verdict.to_json(), render(verdict), ok=verdict.ok)


def _refuse_faults(lab: Lab) -> None:
    """What somebody else broke is neither judged nor healed."""
    if standing := Ledger(lab.dir.ledger).read():
        raise UsageError(
            f"lab {lab.name} has faults in force: {', '.join(standing)}",
            remedy="heal them: lab fault.heal --all",
        )


def _round(lab: Lab) -> Round:
    scenario = lab.topology.scenario
    clusters = sorted({one.from_ for one in lab.topology.traffic})
    with Progress() as progress:
        asyncio.run(_steady(lab, clusters, progress))
        try:
            began, ended, events = play(scenario, _Stage(lab), progress)
        finally:
            if Ledger(lab.dir.ledger).read():
                progress("heal", "all")
                fault.heal((), lab=lab.name)
        progress("lab", "reading what was recorded")
        calls = asyncio.run(fetch(lab.connect, clusters, began - BASELINE, ended))
    course = Course(began, ended, events, calls)
    return Round(course, judge(scenario.expect, course))


async def _steady(lab: Lab, clusters: list[str], say: Callable[[str, str], None]) -> None:
    """Wait until the steady state has held long enough. Raises CheckFailed with what did not hold."""
    steady = lab.topology.scenario.steady
    wanted = steady.expect or [Measures(traffic=name, success=STEADY) for name in judged(lab.topology)]
    say("steady", f"waiting for {steady.hold:g} s of it")
    deadline = time.monotonic() + steady.within
    earliest = time.time() + steady.hold
    while True:
        await pause(max(0.2, earliest - time.time()))
        now = time.time()
        calls = await fetch(lab.connect, clusters, now - steady.hold)
        window = Window("steady state", now - steady.hold, now)
        outcomes: list[Outcome] = [
            outcome for one in wanted for outcome in measured(one, window, calls.get(one.traffic or "", ()))
        ]
        if all(outcome.ok for outcome in outcomes):
            return
        if time.monotonic() > deadline:
            raise CheckFailed(
                f"lab {lab.name} is not in its steady state after {steady.within:g} s:{problems(outcomes)}",
                remedy="`lab status` shows the whole state; `lab run --keep` leaves the lab up",
            )


def judged(topology: Topology) -> list[str]:
    """The traffic that a scenario's expectations are about, CLUSTER/TRAFFIC. Pure."""
    named = {one.traffic for one in topology.scenario.expect}
    whole = {one.no_errors_in for one in topology.scenario.expect}
    return [
        name
        for name, cluster in ((f"{one.from_}/{one.label}", one.from_) for one in topology.traffic)
        if name in named or cluster in whole
    ]


@dataclass(frozen=True)
class _Stage:
    """Does each action by the function that its verb calls."""

    lab: Lab

    def inject(self, step: Step) -> str:
        assert step.fault, "play hands over faults only"
        target = "|".join(filter(None, (getattr(step, word) for word in FAULT_WORDS[step.fault])))
        options = {word: getattr(step, word) for word in FAULT_OPTIONS.get(step.fault, ())}
        made = fault.inject(step.fault, target, lab=self.lab.name, options=options)
        return str(made.data["id"])

    def heal(self, fault_id: str) -> None:
        fault.heal((fault_id,), lab=self.lab.name)

    def act(self, step: Step) -> None:
        asyncio.run(self._apply(step) if step.apply else self._run(step))

    def wait(self, seconds: float) -> None:
        asyncio.run(pause(seconds))

    async def _apply(self, step: Step) -> None:
        objects = read(Path(str(step.apply)))
        names = (step.cluster or ",".join(self.lab.topology.clusters)).split(",")
        for name in names:
            async with await self.lab.connect(name.strip()) as client:
                await apply_all(client, objects)

    async def _run(self, step: Step) -> None:
        env = {"KUBECONFIG": str(self.lab.dir.kubeconfig)}
        await process.run(step.run or (), timeout=PROGRAM_LIMIT, env=env)
