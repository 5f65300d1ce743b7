"""Rules about a scenario: steps do one thing each, and names lead somewhere.

Part of `check`. Pure.
"""

import re
from collections.abc import Iterator, Sequence

from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS, NEEDS_ONE_OF
from lab.topology.model import Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed
from lab.topology.scenario import Expectation, Measures, Step

_ACTIONS = ("fault", "heal", "apply", "run")
_MEASURES = ("success", "p50", "p99", "answered_by", "share", "identity", "status")
_REACTIONS = ("shift_within", "failback_within")
_WINDOWS = ("during", "before", "after")
_FAULT_ONLY = tuple(
    dict.fromkeys(
        word for table in (FAULT_WORDS, FAULT_OPTIONS) for words in table.values() for word in words
    )
)


def scenario_names(topology: Topology) -> Iterator[Problem]:
    """Names in the scenario lead somewhere: clusters, traffic, steps."""
    found = topology.scenario
    steps: dict[str, Step] = {}
    for index, step in enumerate(found.steps):
        path: Path = ("scenario", "steps", index)
        yield from _step_names(topology, step, path)
        if step.name in steps:
            yield Problem((*path, "name"), f'"{step.name}" is already the name of another step')
        if step.heal not in (None, "all", *steps):
            hint = did_you_mean(str(step.heal), steps)
            yield Problem((*path, "heal"), f'no earlier step "{step.heal}"', listed([*steps, "all"]), hint)
        if step.name:
            steps.setdefault(step.name, step)
    for index, measures in enumerate(found.steady.expect):
        yield from _measured_names(topology, measures, ("scenario", "steady", "expect", index))
    for index, expected in enumerate(found.expect):
        path = ("scenario", "expect", index)
        yield from _measured_names(topology, expected, path)
        if expected.no_errors_in is not None:
            yield from _cluster(topology, expected.no_errors_in, (*path, "no_errors_in"))
        for word in _given(expected, _WINDOWS):
            if (name := getattr(expected, word)) not in steps:
                yield Problem((*path, word), f'no step "{name}"', listed(steps), did_you_mean(name, steps))


def _step_names(topology: Topology, step: Step, path: Path) -> Iterator[Problem]:
    for word in ("a", "b", "cluster"):
        for name in re.split(",|<?->", str(getattr(step, word) or "")):
            if name.strip():
                yield from _cluster(topology, name.strip(), (*path, word))
    if step.target:
        for name in step.target.split("/")[0].split(","):
            yield from _cluster(topology, name.strip(), (*path, "target"))


def _measured_names(topology: Topology, measures: Measures, path: Path) -> Iterator[Problem]:
    traffic = _traffic(topology)
    if measures.traffic not in (None, *traffic):
        hint = did_you_mean(str(measures.traffic), traffic)
        yield Problem((*path, "traffic"), f'no traffic "{measures.traffic}"', listed(traffic), hint)
    for name in measures.answered_by or ():
        yield from _cluster(topology, name, (*path, "answered_by"))
    for name in measures.share or ():
        yield from _cluster(topology, name, (*path, "share", name))


def scenario_parts(topology: Topology) -> Iterator[Problem]:
    """Steps do one thing each, expectations measure something, and what belongs together is there."""
    found = topology.scenario
    if not found.expect and (found.steps or found.steady.expect):
        yield Problem(("scenario",), "nothing is expected, so there is no verdict", "expect: a list")
    time = 0.0
    for index, step in enumerate(found.steps):
        path: Path = ("scenario", "steps", index)
        yield from _step(step, path)
        yield from _healing(step, path, found.steps[:index])
        if step.at is not None and step.at < time:
            yield Problem((*path, "at"), "earlier than a step before it", "steps in the order of their times")
        time = max(time, step.at or 0.0)
    for index, measures in enumerate(found.steady.expect):
        yield from _measures(topology, measures, ("scenario", "steady", "expect", index), _MEASURES)
    for index, expected in enumerate(found.expect):
        yield from _expectation(topology, expected, ("scenario", "expect", index))


def _healing(step: Step, path: Path, earlier: Sequence[Step]) -> Iterator[Problem]:
    """`heal` is about a fault that is still in force."""
    for other in earlier:
        if step.heal is None or other.name != step.heal:
            continue
        if not other.lasts:
            yield Problem((*path, "heal"), f'"{step.heal}" leaves nothing to heal')
        elif other.hold is not None:
            yield Problem((*path, "heal"), f'"{step.heal}" heals itself by its "for"')


def _step(step: Step, path: Path) -> Iterator[Problem]:
    actions = _given(step, _ACTIONS)
    if len(actions) != 1:
        yield Problem(path, f"{' and '.join(actions) or 'nothing'} to do", f"one of {listed(_ACTIONS)}")
        return
    if step.at is not None and step.after is not None:
        yield Problem(path, "both at and after", "one of them")
    if step.hold is not None and not step.lasts:
        yield Problem((*path, "for"), f"{step.fault or actions[0]} is not healed, so it has no end")
    yield from _words(step, path)


def _words(step: Step, path: Path) -> Iterator[Problem]:
    """A step says all that its action needs, and nothing else."""
    needed = FAULT_WORDS[step.fault] if step.fault else ()
    optional = FAULT_OPTIONS.get(step.fault, ()) if step.fault else (("cluster",) if step.apply else ())
    for word in needed:
        if getattr(step, word) in (None, "") and not (word == "b" and "->" in (step.a or "")):
            yield Problem((*path, word), "is missing", hint=f"fault {step.fault} needs {listed(needed)}")
    effects = NEEDS_ONE_OF.get(step.fault, ()) if step.fault else ()
    if effects and not _given(step, effects):
        yield Problem(path, f"{step.fault} without an effect", listed(effects))
    for word in _given(step, _FAULT_ONLY):
        if word not in (*needed, *optional):
            what = f"fault {step.fault}" if step.fault else _given(step, _ACTIONS)[0]
            yield Problem((*path, word), f"means nothing to {what}", listed((*needed, *optional)))


def _expectation(topology: Topology, expected: Expectation, path: Path) -> Iterator[Problem]:
    windows = _given(expected, _WINDOWS)
    if len(windows) > 1:
        yield Problem(path, f"{' and '.join(windows)}", "one window")
    instant = [step.name for step in topology.scenario.steps if not step.lasts]
    if expected.during is not None and expected.during in instant:
        found = f'"{expected.during}" is over at once'
        yield Problem((*path, "during"), found, "a fault that lasts", "use before or after")
    for word in _given(expected, _REACTIONS):
        if not expected.during:
            yield Problem((*path, word), "which fault is reacted to is not said", hint="add during: NAME")
    if expected.no_errors_in is None:
        yield from _measures(topology, expected, path, (*_MEASURES, *_REACTIONS))
        return
    for word in _given(expected, ("traffic", *_MEASURES, *_REACTIONS)):
        yield Problem((*path, word), "stands beside no_errors_in", "an expectation of its own")
    if not any(one.from_ == expected.no_errors_in for one in topology.traffic):
        yield Problem((*path, "no_errors_in"), f"no traffic starts in {expected.no_errors_in}")


def _measures(
    topology: Topology, measures: Measures, path: Path, known: tuple[str, ...]
) -> Iterator[Problem]:
    if not _given(measures, known):
        yield Problem(path, "nothing is measured", listed(known))
    if measures.traffic is None:
        yield Problem((*path, "traffic"), "is missing", listed(_traffic(topology)))


def _traffic(topology: Topology) -> list[str]:
    return [f"{one.from_}/{one.label}" for one in topology.traffic]


def _cluster(topology: Topology, name: str, path: Path) -> Iterator[Problem]:
    if name not in topology.clusters:
        hint = did_you_mean(name, topology.clusters)
        yield Problem(path, f'no cluster "{name}"', listed(topology.clusters), hint)


def _given(part: Step | Measures, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if getattr(part, word) is not None]
