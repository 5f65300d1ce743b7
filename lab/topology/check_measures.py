"""Rules about what a scenario measures: it has a subject, measures fit it, and names lead somewhere.

Part of `check`, for `check_scenario`. Pure.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from lab.topology.measures import Expectation, Measures, When
from lab.topology.model import Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed
from lab.topology.scenario import Step

OF_TRAFFIC = (
    "success",
    "p50",
    "p99",
    "faster_than",
    "outage",
    "answered_by",
    "share",
    "identity",
    "status",
    "grpc_status",
    "policy",
)
OF_PROBE = ("value", "delta", "changes")
OF_TRAFFIC_REACTING = ("shift_within", "failback_within")
REACTIONS = (*OF_TRAFFIC_REACTING, "detect_within")
WINDOWS = ("during", "before", "after")

Placed = tuple[Path, Measures]


def placed(topology: Topology) -> Iterator[Placed]:
    """Everything that is measured in the scenario, each with its place in the file."""
    found = topology.scenario
    yield from ((("scenario", "steady", "expect", n), one) for n, one in enumerate(found.steady.expect))
    yield from (((*path, "when"), step.when) for path, step in all_steps(topology) if step.when)
    yield from ((("scenario", "expect", n), one) for n, one in enumerate(found.expect))


def all_steps(topology: Topology) -> Iterator[tuple[Path, Step]]:
    """Every step, also those inside others, each with its place in the file."""
    walks = (step.walk(("scenario", "steps", index)) for index, step in enumerate(topology.scenario.steps))
    return chain.from_iterable(walks)


def measure_names(topology: Topology) -> Iterator[Problem]:
    """Names in measures lead somewhere: clusters, traffic, probes, steps."""
    traffic, probes = traffic_names(topology), topology.scenario.probes
    steps = [step.name for _, step in all_steps(topology) if step.name]
    for path, one in placed(topology):
        yield from _known(one.traffic, traffic, "traffic", (*path, "traffic"))
        yield from _known(one.faster_than, traffic, "traffic", (*path, "faster_than"))
        yield from _known(one.probe, probes, "probe", (*path, "probe"))
        for name in one.answered_by or ():
            yield from _known(name, topology.clusters, "cluster", (*path, "answered_by"))
        for name in one.share or ():
            yield from _known(name, topology.clusters, "cluster", (*path, "share", name))
        if isinstance(one, When) and one.ready:
            yield from _known(one.ready.split("/")[0], topology.clusters, "cluster", (*path, "ready"))
        if isinstance(one, Expectation):
            yield from _known(one.no_errors_in, topology.clusters, "cluster", (*path, "no_errors_in"))
            for word in given(one, WINDOWS):
                yield from _known(getattr(one, word), steps, "step", (*path, word))
    for name, probe in probes.items():
        for word in ("condition", "field", "metric"):
            if part := getattr(probe, word):
                place: Path = ("scenario", "probes", name, word, "cluster")
                yield from _known(part.cluster, topology.clusters, "cluster", place)


def _known(name: str | None, there: Iterable[str], what: str, path: Path) -> Iterator[Problem]:
    names = list(there)
    if name is not None and name not in names:
        yield Problem(path, f'no {what} "{name}"', listed(names), did_you_mean(name, names))


def measure_parts(topology: Topology) -> Iterator[Problem]:
    """Measures have a subject that they can be asked of."""
    for path, one in placed(topology):
        if isinstance(one, Expectation):
            yield from _expectation(topology, one, path)
        elif not (isinstance(one, When) and one.ready and not given(one, ("traffic", "probe", *_ALL))):
            yield from _subject(topology, one, path)
    for name, probe in topology.scenario.probes.items():
        looked = given(probe, ("condition", "field", "metric", "output"))
        if len(looked) != 1:
            found = f"{' and '.join(looked) or 'nothing'} to look at"
            yield Problem(("scenario", "probes", name), found, "one of condition, field, metric, output")
        if not 0.05 <= probe.every <= 60:
            yield Problem(("scenario", "probes", name, "every"), "out of range", "50ms to 60s")


_ALL = (*OF_TRAFFIC, *OF_PROBE)


def _expectation(topology: Topology, expected: Expectation, path: Path) -> Iterator[Problem]:
    windows = given(expected, WINDOWS)
    if len(windows) > 1 and "during" in windows:
        yield Problem(path, f"{' and '.join(windows)}", "one window, or after and before")
    instant = [step.name for _, step in all_steps(topology) if not step.lasts and not step.groups]
    if expected.during is not None and expected.during in instant:
        found = f'"{expected.during}" is over at once'
        yield Problem((*path, "during"), found, "a fault that lasts", "use before or after")
    for word in given(expected, REACTIONS):
        if not expected.during:
            yield Problem((*path, word), "which fault is reacted to is not said", hint="add during: NAME")
    if expected.detect_within is not None and expected.value is None:
        yield Problem((*path, "detect_within"), "what is detected is not said", hint="add probe and value")
    if expected.no_errors_in is None:
        yield from _subject(topology, expected, path)
        return
    for word in given(expected, ("traffic", "probe", *_ALL, *REACTIONS)):
        yield Problem((*path, word), "stands beside no_errors_in", "an expectation of its own")
    if not any(one.from_ == expected.no_errors_in for one in topology.traffic):
        yield Problem((*path, "no_errors_in"), f"no traffic starts in {expected.no_errors_in}")


def _subject(topology: Topology, measures: Measures, path: Path) -> Iterator[Problem]:
    """Either traffic or a probe is measured, by what can be asked of it."""
    more = isinstance(measures, Expectation)
    of_traffic = (*OF_TRAFFIC, *(OF_TRAFFIC_REACTING if more else ()))
    of_probe = (*OF_PROBE, *(("detect_within",) if more else ()))
    known, others = (of_probe, of_traffic) if measures.probe else (of_traffic, of_probe)
    asked, strange = given(measures, known), given(measures, others)
    if measures.probe and measures.traffic:
        yield Problem((*path, "probe"), "stands beside traffic", "an expectation of its own")
        return
    if not measures.probe and measures.traffic is None:
        of_a_probe = bool(strange) and not asked
        word, there = (
            ("probe", list(topology.scenario.probes)) if of_a_probe else ("traffic", traffic_names(topology))
        )
        yield Problem((*path, word), "is missing", listed(there))
        return
    if not asked and not strange:
        yield Problem(path, "nothing is measured", listed(known))
    for word in strange:
        subject = "a probe" if measures.probe else "traffic"
        yield Problem((*path, word), f"cannot be asked of {subject}", listed(known))


def traffic_names(topology: Topology) -> list[str]:
    return [f"{one.from_}/{one.label}" for one in topology.traffic]


def given(part: object, words: Iterable[str]) -> list[str]:
    """Those of the words that the file says."""
    return [word for word in words if getattr(part, word) not in (None, ())]
