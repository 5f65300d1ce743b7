"""What a matrix varies of a topology: the mode of its exports, the mesh's version, the fault. Pure.

Each function gives the same topology with one thing different; what does not fit together then is found by
the checks of a file (`matrix` runs them).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from pydantic import ValidationError

from lab.base.errors import UsageError
from lab.topology.check_measures import all_steps
from lab.topology.fault_words import (
    FAULT_OPTIONS,
    FAULT_WORDS,
    FLAGS,
    IMPAIRMENTS,
    OF_WHOLE_CLUSTERS,
    FaultKind,
    lasts,
)
from lab.topology.grammar import format_duration
from lab.topology.model import Topology
from lab.topology.problem import did_you_mean, listed
from lab.topology.scenario import Step

MODES = ("gateway", "flat")
"""Federated is not among them: its service has another name, so that other calls would have to be made."""
USUAL: Mapping[str, str] = {
    "delay": "100ms",
    "jitter": "20ms",
    "loss": "5%",
    "duplicate": "5%",
    "corrupt": "5%",
    "rate": "1mbit",
    "http": "503",
    "clock": "48h",
}
"""Values of faults that do nothing without one."""
KEPT = {"name", "at", "after", "when", "otherwise", "repeat"}
"""What a step with another fault keeps, beside how long that is in force."""


class Impossible(UsageError):
    """A topology cannot be varied this way."""


@dataclass(frozen=True)
class Swap:
    """A fault to put in the place of another, as it was asked for: NAME, NAME=VALUE, NAME@WHERE or both."""

    name: str
    value: str = ""
    where: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises UsageError for a name that is no fault."""
        said, _, where = text.partition("@")
        name, _, value = said.partition("=")
        known = [*FAULT_WORDS, *IMPAIRMENTS]
        if name not in known:
            raise UsageError(
                f'--fault "{text}": there is no fault "{name}"',
                remedy=did_you_mean(name, known) or f"there are {listed(known)}",
            )
        return cls(name, value, where)

    @property
    def kind(self) -> FaultKind:
        return "impair" if self.name in IMPAIRMENTS else cast(FaultKind, self.name)

    @property
    def option(self) -> str:
        """What the value is the value of; "" for a fault that takes none."""
        if self.name in IMPAIRMENTS:
            return self.name
        options = FAULT_OPTIONS.get(self.kind, ())
        return next((one for one in options if one not in FLAGS), "")


def has_mode(topology: Topology) -> bool:
    """Whether an app exports anything in a mode that can be another one."""
    return any(one in MODES for app in topology.apps for modes in app.export.values() for one in modes)


def with_mode(topology: Topology, mode: str) -> Topology:
    """Everything that apps export by gateway or flat, exported in this mode, and carried so by the links."""

    def changed(modes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(mode if one in MODES else one for one in modes))

    if not has_mode(topology):
        raise Impossible("no app exports anything by gateway or flat")
    apps = tuple(
        app.model_copy(update={"export": {name: changed(modes) for name, modes in app.export.items()}})
        for app in topology.apps
    )
    links = tuple(
        link
        if link.modes is None or mode in link.modes
        else link.model_copy(update={"modes": changed(link.modes)})
        for link in topology.links
    )
    return topology.model_copy(update={"apps": apps, "links": links})


def with_version(topology: Topology, version: str) -> Topology:
    """The same with another version of the mesh; it goes on emulating the bugs that the file names."""
    return topology.model_copy(update={"mesh": topology.mesh.model_copy(update={"version": version})})


def fault_step(topology: Topology, name: str = "") -> Step:
    """The step whose fault is swapped: the one of this name, or the only one. Raises UsageError."""
    faults = [step for _, step in all_steps(topology) if step.fault]
    named = [step for step in faults if step.name == name] if name else faults
    if len(named) == 1:
        return named[0]
    names = listed(step.name or step.words for step in faults)
    if name:
        raise UsageError(f'--step "{name}": no fault has this name', remedy=f"faults are {names}")
    if not faults:
        raise UsageError(f"the scenario of {topology.name} has no fault that --fault could replace")
    raise UsageError(
        f"the scenario of {topology.name} has {len(faults)} faults",
        remedy=f"say which to replace: --step, of {names}",
    )


def with_fault(topology: Topology, step: Step, swap: Swap) -> Topology:
    """The same with another fault in this step, at the same time, for as long, and on the same target."""
    words: dict[str, Any] = {"fault": swap.kind, **_where(topology, step, swap)}
    if value := swap.value or USUAL.get(swap.name, ""):
        if not swap.option:
            raise Impossible(f"{swap.name} takes no value, and {value} was given")
        words[swap.option] = int(value) if value.isdigit() else value
    instant = not lasts(swap.kind, words)
    if instant and any(step.name and one.during == step.name for one in topology.scenario.expect):
        raise Impossible(
            f"{swap.name} is over at once, and the scenario expects something during {step.name}"
        )
    kept = step.model_dump(by_alias=True, mode="json", include=KEPT, exclude_unset=True)
    if step.hold is not None and not instant:
        words["for"] = format_duration(step.hold)
    try:
        new = Step.model_validate({**kept, **words})
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Impossible(f"{swap.name}: {said}") from None
    steps = tuple(_swapped(one, step, new) for one in topology.scenario.steps)
    return topology.model_copy(update={"scenario": topology.scenario.model_copy(update={"steps": steps})})


def _swapped(here: Step, old: Step, new: Step) -> Step:
    if here is old:
        return new
    inner = ((word, steps) for word, steps in (*here.groups, ("otherwise", here.otherwise)))
    return here.model_copy(
        update={word: tuple(_swapped(one, old, new) for one in steps) for word, steps in inner}
    )


def _where(topology: Topology, step: Step, swap: Swap) -> dict[str, str]:
    """The words that say what the new fault hits: those that were given, or those of the old one."""
    needed = FAULT_WORDS[swap.kind]
    if "a" in needed:
        if "->" in swap.where:
            return {"a": swap.where}
        if not swap.where and step.a:
            return {"a": step.a, **({"b": step.b} if step.b else {})}
        here = swap.where or _cluster(step)
        others = list(_linked(topology, here))
        if not others:
            raise Impossible(f"{swap.name}: no link leads from or to {here}; say {swap.name}@WEST->EAST")
        return {"a": here, "b": ",".join(others)}
    if "cluster" in needed:
        return {"cluster": swap.where or _cluster(step)}
    where = swap.where or step.target or (_cluster(step) if swap.kind in OF_WHOLE_CLUSTERS else "")
    if not where:
        raise Impossible(
            f"{swap.name} hits a workload, and {step.name or step.words} names none; "
            f"say {swap.name}@CLUSTER/NAMESPACE/NAME"
        )
    return {"target": where}


def _cluster(step: Step) -> str:
    return (
        step.cluster
        or (step.target or "").split("/")[0]
        or (step.a or "").split("<")[0].split("->")[0].strip()
    )


def _linked(topology: Topology, cluster: str) -> Iterator[str]:
    """The clusters at the other ends of its links, in the order of the file."""
    ends = {
        end for link in topology.links for end in (link.from_, link.to) if cluster in (link.from_, link.to)
    }
    yield from (name for name in topology.clusters if name in ends and name != cluster)
