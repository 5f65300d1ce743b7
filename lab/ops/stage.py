"""A lab as the stage of a scenario: does what its steps say, and looks whether what they wait for holds."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import process
from lab.base.wait import pause
from lab.faults.model import Tenure
from lab.faults.workloads import Selection, all_ready
from lab.kube.manifests import apply_all, written
from lab.ops import fault
from lab.ops.labs import Lab
from lab.scenarios.calls import fetch
from lab.scenarios.course import Course, Window
from lab.scenarios.judge import measured
from lab.scenarios.outcome import Outcome
from lab.scenarios.play import InForce
from lab.scenarios.report import problems
from lab.scenarios.sampling import Sampler
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS
from lab.topology.measures import Measures, When
from lab.topology.model import Topology
from lab.topology.scenario import Scenario, Step

PROGRAM_LIMIT = 300.0
"""Seconds for the program of one step."""
SLACK = 120.0
"""Seconds that a fault may outlive the run which made it: time that steps take besides what the file says."""


@dataclass(frozen=True)
class LabStage:
    """Does each action by the function that its verb calls; implements lab.scenarios.play.Stage."""

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
