"""Rules about a scenario's steps: they do one thing each, and names lead somewhere.

Part of `check`; what is measured is in `check_measures`. Pure.
"""

import re
from collections.abc import Iterator

from lab.topology.check_measures import all_steps, given, measure_names, measure_parts
from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS, NEEDS_ONE_OF, OF_WHOLE_CLUSTERS
from lab.topology.model import Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed
from lab.topology.scenario import Step

_GROUPS = ("steps", "parallel", "any")
_ACTIONS = ("fault", "heal", "apply", "run", *_GROUPS)
_FAULT_ONLY = tuple(
    dict.fromkeys(
        word for table in (FAULT_WORDS, FAULT_OPTIONS) for words in table.values() for word in words
    )
)


def scenario_names(topology: Topology) -> Iterator[Problem]:
    """Names in the scenario lead somewhere: clusters, traffic, steps."""
    steps: dict[str, Step] = {}
    for path, step in all_steps(topology):
        yield from _step_names(topology, step, path)
        if step.name in steps:
            yield Problem((*path, "name"), f'"{step.name}" is already the name of another step')
        if step.heal not in (None, "all", *steps):
            hint = did_you_mean(str(step.heal), steps)
            yield Problem((*path, "heal"), f'no earlier step "{step.heal}"', listed([*steps, "all"]), hint)
        if step.name:
            steps.setdefault(step.name, step)
    yield from measure_names(topology)


def _step_names(topology: Topology, step: Step, path: Path) -> Iterator[Problem]:
    for word in ("a", "b", "cluster"):
        for name in re.split(",|<?->", str(getattr(step, word) or "")):
            if name.strip():
                yield from _cluster(topology, name.strip(), (*path, word))
    if step.target:
        for name in step.target.split("/")[0].split(","):
            yield from _cluster(topology, name.strip(), (*path, "target"))


def scenario_parts(topology: Topology) -> Iterator[Problem]:
    """Steps do one thing each, expectations measure something, and what belongs together is there."""
    found = topology.scenario
    if not found.expect and (found.steps or found.steady.expect or found.probes):
        yield Problem(("scenario",), "nothing is expected, so there is no verdict", "expect: a list")
    earlier: dict[str, Step] = {}
    for path, step in all_steps(topology):
        yield from _step(step, path)
        yield from _place(step, path)
        if step.heal in earlier:
            yield from _healing(step, earlier[step.heal], path)
        if step.name:
            earlier.setdefault(step.name, step)
    time = 0.0
    for index, step in enumerate(found.steps):
        if step.at is not None and step.at < time:
            path = ("scenario", "steps", index, "at")
            yield Problem(path, "earlier than a step before it", "steps in the order of their times")
        time = max(time, step.at or 0.0)
    yield from measure_parts(topology)


def _healing(step: Step, other: Step, path: Path) -> Iterator[Problem]:
    """`heal` is about a fault that is still in force."""
    if not other.lasts:
        yield Problem((*path, "heal"), f'"{step.heal}" leaves nothing to heal')
    elif other.hold is not None:
        yield Problem((*path, "heal"), f'"{step.heal}" heals itself by its "for"')


def _place(step: Step, path: Path) -> Iterator[Problem]:
    """What only a step outside of others can say."""
    if len(path) > len(("scenario", "steps", 0)):
        if step.at is not None:
            yield Problem((*path, "at"), "inside another step", "after")
        if step.otherwise:
            yield Problem((*path, "otherwise"), "inside another step", "a step of the list `steps`")
    if step.otherwise and step.when is None:
        yield Problem((*path, "otherwise"), "it is not said what to wait for", hint="add when")


def _step(step: Step, path: Path) -> Iterator[Problem]:
    actions = given(step, _ACTIONS)
    if len(actions) > 1 or not (actions or step.when):
        found = " and ".join(actions) or "nothing"
        yield Problem(path, f"{found} to do", f"one of {listed(_ACTIONS)}")
        return
    if step.at is not None and step.after is not None:
        yield Problem(path, "both at and after", "one of them")
    if step.hold is not None and not step.lasts:
        found = step.fault or (actions or ["when"])[0]
        yield Problem((*path, "for"), f"{found} is not healed, so it has no end")
    if step.repeat and step.repeat.count > 1 and step.lasts and step.hold is None:
        yield Problem((*path, "repeat"), "the fault is in force already the second time", hint="add for")
    yield from _words(step, (actions or ["when"])[0], path)


def _words(step: Step, action: str, path: Path) -> Iterator[Problem]:
    """A step says all that its action needs, and nothing else."""
    needed = FAULT_WORDS[step.fault] if step.fault else ()
    optional = FAULT_OPTIONS.get(step.fault, ()) if step.fault else (("cluster",) if step.apply else ())
    for word in needed:
        if getattr(step, word) in (None, "") and not (word == "b" and "->" in (step.a or "")):
            yield Problem((*path, word), "is missing", hint=f"fault {step.fault} needs {listed(needed)}")
    if step.target and "/" not in step.target and step.fault not in OF_WHOLE_CLUSTERS:
        yield Problem((*path, "target"), f'"{step.target}" is no workload', "CLUSTER/NAMESPACE/DEPLOYMENT")
    effects = NEEDS_ONE_OF.get(step.fault, ()) if step.fault else ()
    if effects and not given(step, effects):
        yield Problem(path, f"{step.fault} without an effect", listed(effects))
    for word in given(step, _FAULT_ONLY):
        if word not in (*needed, *optional):
            what = f"fault {step.fault}" if step.fault else action
            yield Problem((*path, word), f"means nothing to {what}", listed((*needed, *optional)))


def _cluster(topology: Topology, name: str, path: Path) -> Iterator[Problem]:
    if name not in topology.clusters:
        hint = did_you_mean(name, topology.clusters)
        yield Problem(path, f'no cluster "{name}"', listed(topology.clusters), hint)
