"""One scenario over modes, faults and versions: which cells there are, and what each runs. Pure.

`lab.ops.matrix` runs the cells that can be; `grid` shows what came of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Self, get_args

from lab.base.errors import UsageError
from lab.scenarios.axes import (
    MODES,
    Impossible,
    Swap,
    fault_step,
    has_mode,
    with_fault,
    with_mode,
    with_version,
)
from lab.topology.check import check
from lab.topology.check_measures import all_steps
from lab.topology.model import MeshVersion, Topology
from lab.topology.problem import did_you_mean, listed
from lab.topology.scenario import Verdict

LONGEST_NAME = 32
"""Characters that the name of a lab may have."""


@dataclass(frozen=True)
class Axes:
    """What is varied; an axis without values is what the file offers (`offered`)."""

    variants: Sequence[str] = ()
    modes: Sequence[str] = ()
    versions: Sequence[str] = ()
    faults: Sequence[str] = ()
    step: str = ""
    """Name of the step whose fault is replaced; "" for the only one."""

    @classmethod
    def parse(cls, variant: str, mode: str, version: str, fault: str, step: str) -> Self:
        """The axes that lists with commas give. Raises UsageError for what is none of a known few."""
        axes = cls(_split(variant), _split(mode), _split(version), _split(fault), step)
        for flag, said, known in (
            ("mode", axes.modes, MODES),
            ("version", axes.versions, get_args(MeshVersion)),
        ):
            _check(flag, said, known)
        for one in axes.faults:
            Swap.parse(one)
        return axes

    @property
    def flags(self) -> list[str]:
        """The words of the command line that say so."""
        values = {
            "variant": ",".join(self.variants),
            "mode": ",".join(self.modes),
            "version": ",".join(self.versions),
            "fault": ",".join(self.faults),
            "step": self.step,
        }
        return [word for flag, value in values.items() if value for word in (f"--{flag}", value)]


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _check(flag: str, said: Sequence[str], known: Sequence[str]) -> None:
    for word in said:
        if word not in known:
            raise UsageError(
                f'--{flag} "{word}" is unknown',
                remedy=did_you_mean(word, known) or f"there is {listed(known)}",
            )


@dataclass(frozen=True)
class Cell:
    """One way to run the scenario: how it differs from the file, "" for as it is there."""

    variant: str
    mode: str
    version: str
    fault: str
    topology: Topology | None = None
    """None when it cannot be, for `reason`."""
    reason: str = ""
    expected: Verdict = "held"
    """What the file says of itself as it is, or of one of its variants; all other cells have to hold."""

    @property
    def way(self) -> tuple[str, str, str, str]:
        """How it differs from the file: no two cells of a matrix do so in the same way."""
        return self.variant, self.mode, self.version, self.fault

    @property
    def lab(self) -> str:
        """The name of the lab that it runs on; cells that differ in their faults only share one."""
        assert self.topology, "only a cell that can be has a lab"
        suffix = "".join(
            f"-{one.replace('.', '-')}" for one in (self.variant, self.mode, self.version) if one
        )
        return self.topology.name[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix

    @property
    def column(self) -> str:
        return " ".join(filter(None, (self.mode, self.version))) or "as in the file"

    @property
    def row(self) -> str:
        return ", ".join(filter(None, (self.variant, self.fault))) or "as in the file"

    def alone(self, step: str) -> Axes:
        """The axes on which there is this cell only."""
        variant, mode, version, fault = ((value,) if value else () for value in self.way)
        return Axes(variant, mode, version, fault, step if fault else "")


def offered(bases: Mapping[str, Topology], asked: Axes) -> Axes:
    """The axes with their defaults: all variants, if neither mode nor version is asked for; both modes, if
    the file has no variants and exports something; the version and the fault of the file."""
    has_variants = "" not in bases
    all_variants = bases if has_variants and not (asked.modes or asked.versions) else ("",)
    return replace(
        asked,
        variants=asked.variants or tuple(all_variants),
        modes=asked.modes or (("",) if has_variants or not has_mode(bases[""]) else MODES),
        versions=asked.versions or ("",),
        faults=asked.faults or ("",),
    )


def cells(bases: Mapping[str, Topology], asked: Axes) -> list[Cell]:
    """Every cell, also those that cannot be: row by row, by fault, then by variant, mode and version.

    `bases` are the topology's variants by name, or the topology itself under "". Raises UsageError when it is
    not clear which fault is to be replaced.
    """
    _check("variant", asked.variants, [name for name in bases if name])
    axes = offered(bases, asked)
    ways = product(axes.faults, axes.variants, axes.modes, axes.versions)
    return [
        _cell(bases, Cell(variant, mode, version, fault), axes.step) for fault, variant, mode, version in ways
    ]


def _cell(bases: Mapping[str, Topology], wanted: Cell, step: str) -> Cell:
    """The cell with its topology, made of the variant that is that way already, or of the first one."""
    names = [wanted.variant] if wanted.variant else list(bases)
    base = next((bases[name] for name in names if _is_so(bases[name], wanted)), bases[names[0]])
    try:
        made = _varied(base, wanted)
        if wanted.fault:
            made = with_fault(made, fault_step(made, step), Swap.parse(wanted.fault))
    except Impossible as error:
        return replace(wanted, reason=str(error))
    if problems := check(made):
        return replace(wanted, reason="; ".join(map(str, problems)))
    expected = (base.scenario.verdict if made == base else None) or "held"
    return replace(wanted, topology=made, expected=expected)


def _varied(base: Topology, wanted: Cell) -> Topology:
    made = with_mode(base, wanted.mode) if wanted.mode else base
    return with_version(made, wanted.version) if wanted.version else made


def _is_so(base: Topology, wanted: Cell) -> bool:
    try:
        return _varied(base, wanted) == base
    except Impossible:
        return False


def shared(planned: Sequence[Cell]) -> list[list[Cell]]:
    """The cells that can be, in groups that run on one lab one after the other.

    What steps apply or run stays in a lab, so cells with such steps get one each.
    """
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in planned:
        if cell.topology:
            stays = any(step.apply or step.run for _, step in all_steps(cell.topology))
            found.setdefault((cell.lab, cell.fault if stays else ""), []).append(cell)
    return list(found.values())
