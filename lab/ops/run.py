"""Runs a topology's scenario on its lab and gives the verdict.

Order: up, steady state, steps, healing, the generators' records, verdict. Whatever happens on the way,
also Ctrl-C, the faults are healed, and a lab that was not up before is taken down again unless kept.
"""

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import process, shipped
from lab.base.errors import CheckFailed, LabError, UsageError
from lab.base.wait import pause
from lab.faults.ledger import Ledger
from lab.faults.model import Tenure
from lab.faults.workloads import Selection, all_ready
from lab.kube.manifests import apply_all, written
from lab.ops import fault
from lab.ops.answer import Answer
from lab.ops.bundle.bundle import bundle
from lab.ops.bundle.versions import versions_of
from lab.ops.down import down
from lab.ops.labs import Lab, from_file
from lab.ops.progress import Progress
from lab.ops.runs import keep
from lab.ops.up import bring_up
from lab.scenarios.calls import fetch
from lab.scenarios.course import Course, Window
from lab.scenarios.judge import judge, measured
from lab.scenarios.outcome import Outcome
from lab.scenarios.play import InForce, play
from lab.scenarios.reactions import BASELINE
from lab.scenarios.report import junit, problems, render
from lab.scenarios.sampling import Sampler
from lab.scenarios.verdict import Round, Verdict
from lab.topology.bounds import Bound
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS
from lab.topology.measures import Measures, When
from lab.topology.model import EngineName, Topology
from lab.topology.scenario import Scenario, Step

PROGRAM_LIMIT = 300.0
"""Seconds for the program of one step."""
SLACK = 120.0
"""Seconds that a fault may outlive the run which made it: time that steps take besides what the file says."""
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
        stage = _Stage(lab, sampler, env)
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


async def _steady(stage: "_Stage", say: Callable[[str, str], None]) -> None:
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


def environment(lab: Lab, seed: int) -> dict[str, str]:
    """What programs of steps and probes find in their environment, beside the caller's."""
    beside = str(Path(sys.executable).parent)  # kubectl and lab, whether or not their venv is active
    return {
        "KUBECONFIG": str(lab.dir.kubeconfig),
        "LAB": lab.name,
        "LAB_SEED": str(seed),
        "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def protocols(topology: Topology) -> dict[str, str]:
    """http, grpc or tcp, by CLUSTER/TRAFFIC. Pure."""
    return {f"{one.from_}/{one.label}": one.to.split("://")[0] for one in topology.traffic}


def judged(topology: Topology) -> list[str]:
    """The traffic that a scenario's expectations are about, CLUSTER/TRAFFIC. Pure."""
    named = {one.traffic for one in topology.scenario.expect}
    whole = {one.no_errors_in for one in topology.scenario.expect}
    return [
        name
        for name, cluster in ((f"{one.from_}/{one.label}", one.from_) for one in topology.traffic)
        if name in named or cluster in whole
    ]


def lease(scenario: Scenario, step: Step) -> float:
    """Seconds after which a fault ends by itself if the run that made it was killed: later than the run would
    have healed it. Pure.
    """
    if step.hold is not None:
        return step.hold + SLACK
    return max(longest(scenario.steps), scenario.length or 0.0) + SLACK


def longest(steps: Sequence[Step]) -> float:
    """Seconds that steps may take at the most, if one came after the other. Pure."""
    return sum(map(_longest, steps))


def _longest(step: Step) -> float:
    inner = sum(longest(steps) for _, steps in step.groups)
    once = (step.hold or 0.0) + inner + PROGRAM_LIMIT * (step.run is not None)
    many = step.repeat.count * (once + step.repeat.pause + step.repeat.varies) if step.repeat else once
    waited = max(step.at or 0.0, step.after or 0.0) + (step.when.within if step.when else 0.0)
    return waited + many + longest(step.otherwise)


@dataclass(frozen=True)
class _Stage:
    """Does each action by the function that its verb calls."""

    lab: Lab
    sampler: Sampler
    env: dict[str, str]
    """What programs of steps find in their environment."""
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A lab takes one verb at a time."""

    async def inject(self, step: Step) -> InForce:
        async with self.one_at_a_time:
            return await asyncio.to_thread(self._inject, step)

    def _inject(self, step: Step) -> InForce:
        assert step.fault, "play hands over faults only"
        target = "|".join(filter(None, (getattr(step, word) for word in FAULT_WORDS[step.fault])))
        options = {word: getattr(step, word) for word in FAULT_OPTIONS.get(step.fault, ())}
        tenure = self._tenure(step)
        made = fault.inject(step.fault, target, lab=self.lab.name, options=options, tenure=tenure)
        return InForce(made.data["id"], made.data["since"])

    def _tenure(self, step: Step) -> Tenure:
        return Tenure(f"scenario:{self.lab.topology.name}", lease(self.lab.topology.scenario, step))

    async def heal(self, fault_id: str) -> float:
        async with self.one_at_a_time:
            done = await asyncio.to_thread(fault.heal, (fault_id,), lab=self.lab.name)
        return float(done.data["at"])

    async def act(self, step: Step) -> None:
        await (self._apply(step) if step.apply else self._run(step))

    async def wait(self, seconds: float) -> None:
        await pause(seconds)

    async def unmet(self, when: When, since: float) -> str:
        if time.time() - since < when.over:
            return f"waited for {time.time() - since:.1f} s of {when.over:g} s"
        if when.ready:
            cluster, namespace, name = when.ready.split("/")
            async with await self.lab.connect(cluster) as client:
                if not await all_ready(client, Selection(namespace, name)):
                    return f"{when.ready} is not ready"
        asked = bool(when.traffic or when.probe)
        return problems(await self.outcomes((when,), when.over)).strip() if asked else ""

    async def outcomes(self, wanted: Sequence[Measures], over: float) -> list[Outcome]:
        """What is wanted, judged over the last `over` seconds."""
        now = time.time()
        clusters = {one.traffic.split("/")[0] for one in wanted if one.traffic}
        calls = (await fetch(self.lab.connect, clusters, now - over)).calls
        course = Course(
            now - over, now, (), calls, self.sampler.taken, protocols=protocols(self.lab.topology)
        )
        window = Window(f"the last {over:g} s", ((now - over, now),))
        return [outcome for one in wanted for outcome in measured(one, window, course)]

    async def _apply(self, step: Step) -> None:
        objects = written(str(step.apply))
        names = (step.cluster or ",".join(self.lab.topology.clusters)).split(",")
        for name in names:
            async with await self.lab.connect(name.strip()) as client:
                await apply_all(client, objects)

    async def _run(self, step: Step) -> None:
        await process.run(step.run or (), timeout=PROGRAM_LIMIT, env=self.env)
