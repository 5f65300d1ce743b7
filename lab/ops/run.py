"""Runs a topology's scenario on its lab and gives the verdict.

Order: up, steady state, steps, healing, the generators' records, verdict. Whatever happens on the way,
also Ctrl-C, the faults are healed, and a lab that was not up before is taken down again unless kept.
"""

import asyncio
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.base import shipped
from lab.base.errors import CheckFailed, LabError, UsageError
from lab.base.wait import pause
from lab.faults.ledger import Ledger
from lab.ops import fault
from lab.ops.answer import Answer
from lab.ops.bundle.bundle import bundle
from lab.ops.bundle.versions import versions_of
from lab.ops.down import down
from lab.ops.labs import Lab, from_file
from lab.ops.progress import Progress
from lab.ops.runs import keep
from lab.ops.stage import LabStage, environment, protocols
from lab.ops.up import bring_up
from lab.scenarios.calls import fetch
from lab.scenarios.course import Course
from lab.scenarios.judge import judge
from lab.scenarios.play import play
from lab.scenarios.reactions import BASELINE
from lab.scenarios.report import junit, problems, render
from lab.scenarios.sampling import Sampler
from lab.scenarios.verdict import Round, Verdict
from lab.topology.bounds import Bound
from lab.topology.measures import Measures
from lab.topology.model import EngineName, Topology

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
    html: str = ""
    bundle: str = ""
    seed: int | None = None
    variant: str = ""


def run(file: str, asked: Rehearsal) -> Answer:
    """Run the scenario in a topology file. Not ok when an expectation fails."""
    lab = from_file(file, asked.lab, asked.engine, asked.variant)
    scenario = lab.topology.scenario
    if not scenario.expect:
        raise UsageError(
            f"{file} has no scenario",
            remedy="add `scenario:` with steps and expectations to it, or run a shipped one: "
            + ", ".join(shipped.names("scenarios")),
        )
    if asked.repeat < 1:
        raise UsageError(f"--repeat {asked.repeat}: at least one round is needed")
    for flag, path in (("--junit", asked.junit), ("--html", asked.html), ("--bundle", asked.bundle)):
        check_output(flag, path)
    seed = scenario.seed if asked.seed is None else asked.seed
    with borrowed(lab, keep=asked.keep), _packed(lab, asked.bundle):
        rounds = play_rounds(lab, seed, asked.repeat)
        said, ran_on = command(file, asked, seed), asyncio.run(versions_of(lab.topology))
        verdict = Verdict(lab.name, scenario.title, rounds, scenario.verdict, said, ran_on)
        keep(lab.dir, verdict)
    if asked.junit:
        Path(asked.junit).write_text(junit(verdict), encoding="utf-8")
    if asked.html:
        from lab.scenarios.pages import run_page  # the plotting library takes a second to import

        Path(asked.html).write_text(run_page(verdict), encoding="utf-8")
    return Answer(verdict.to_json(), render(verdict), ok=verdict.ok)


@contextmanager
def borrowed(lab: Lab, *, keep: bool) -> Iterator[None]:
    """The lab is up meanwhile. Afterwards one that was not up before is taken down again, unless kept."""
    was_running, was_there = lab.engine.is_running(lab.dir), lab.dir.root.exists()
    if was_running:
        _refuse_faults(lab)
    try:
        bring_up(lab)
        yield
    finally:
        if not was_running and not keep and lab.dir.root.exists():
            down(lab.name, purge=not was_there)


@contextmanager
def _packed(lab: Lab, file: str) -> Iterator[None]:
    """Pack the lab into a bundle afterwards, also when there was no verdict: before it is taken down."""
    try:
        yield
    except LabError:
        if file:
            sys.stderr.write(f"{bundle(lab.name, file).view}\n")
        raise
    if file:
        sys.stderr.write(f"{bundle(lab.name, file).view}\n")


def play_rounds(lab: Lab, seed: int, count: int) -> tuple[Round, ...]:
    """Run the scenario of a lab that is up, `count` times."""
    return tuple(_round(lab, seed) for _ in range(count))


def check_output(flag: str, path: str) -> None:
    """Refuse a file that cannot be written, before the minutes that a run takes."""
    if not Path(path).parent.is_dir():
        raise UsageError(f"{flag} {path}: there is no folder {Path(path).parent}")
    if path and Path(path).is_dir():
        raise UsageError(f"{flag} {path}: this is a folder", remedy="name a file in it")


def command(file: str, asked: Rehearsal, seed: int) -> str:
    """What gives the same verdict again. Pure."""
    flags = {
        "--lab": asked.lab,
        "--engine": asked.engine,
        "--variant": asked.variant,
        "--repeat": asked.repeat if asked.repeat > 1 else "",
    }
    words = ["lab", "run", file, *(str(one) for pair in flags.items() if pair[1] for one in pair)]
    return shlex.join([*words, "--seed", str(seed)])


def _refuse_faults(lab: Lab) -> None:
    """What somebody else broke is neither judged nor healed."""
    if standing := Ledger(lab.dir.ledger).read():
        raise UsageError(
            f"lab {lab.name} has faults in force: {', '.join(standing)}",
            remedy="heal them: lab fault.heal --all",
        )


def _round(lab: Lab, seed: int) -> Round:
    with Progress() as progress:
        try:
            return asyncio.run(_course(lab, seed, progress))
        finally:
            if standing := Ledger(lab.dir.ledger).read():
                progress("heal", "all")
                fault.heal(tuple(standing), lab=lab.name)


async def _course(lab: Lab, seed: int, say: Callable[[str, str], None]) -> Round:
    scenario = lab.topology.scenario
    clusters = sorted({one.from_ for one in lab.topology.traffic})
    env = environment(lab, seed)
    async with Sampler(lab.connect, scenario.probes, env) as sampler:
        stage = LabStage(lab, sampler, env)
        await _steady(stage, say)
        played = await play(scenario, stage, say, seed)
    if standing := Ledger(lab.dir.ledger).read():
        say("heal", "all")
        await asyncio.to_thread(fault.heal, tuple(standing), lab=lab.name)
    say("lab", "reading what was recorded")
    fetched = await fetch(lab.connect, clusters, played.begin - BASELINE, (played.begin, played.end))
    course = Course(
        played.begin,
        played.end,
        played.events,
        fetched.calls,
        sampler.taken,
        played.waitings,
        protocols(lab.topology),
        seed,
        fetched.clocks,
    )
    return Round(course, judge(scenario.expect, course))


async def _steady(stage: LabStage, say: Callable[[str, str], None]) -> None:
    """Wait until the steady state has held long enough. Raises CheckFailed with what did not hold."""
    lab = stage.lab
    steady = lab.topology.scenario.steady
    wanted = steady.expect or [Measures(traffic=name, success=STEADY) for name in judged(lab.topology)]
    say("steady", f"waiting for {steady.hold:g} s of it")
    deadline = time.monotonic() + steady.within
    earliest = time.time() + steady.hold
    while True:
        await pause(max(0.2, earliest - time.time()))
        outcomes = await stage.outcomes(wanted, steady.hold)
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
