"""Runs one scenario over modes, faults and versions of the mesh, cell by cell.

`lab.scenarios.matrix` says which cells there are. Those that differ in their fault only run one after the
other on the same lab; labs are up one at a time.
"""

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import EngineUnavailable, LabError, UsageError
from lab.ops.answer import Answer
from lab.ops.bundle.versions import versions_of
from lab.ops.labs import Lab, from_topology
from lab.ops.progress import Progress
from lab.ops.run import borrowed, check_output, play_rounds
from lab.ops.runs import keep
from lab.scenarios.grid import Grid, Result, render
from lab.scenarios.matrix import Axes, Cell, cells, shared
from lab.scenarios.verdict import Verdict
from lab.topology.load import STDIN, load_variants
from lab.topology.model import EngineName


@dataclass(frozen=True)
class Survey:
    """What the command line says about a matrix."""

    axes: Axes
    engine: EngineName | None = None
    keep: bool = False
    repeat: int = 1
    seed: int | None = None
    html: str = ""


def matrix(file: str, asked: Survey) -> Answer:
    """Run every cell that can be. Not ok when one has another verdict than expected."""
    if file == STDIN:
        raise UsageError("a matrix needs a file", remedy="its cells are run again by naming it")
    if asked.repeat < 1:
        raise UsageError(f"--repeat {asked.repeat}: at least one round is needed")
    check_output("--html", asked.html)
    bases = load_variants(file, asked.engine)
    scenario = next(iter(bases.values())).scenario
    if not scenario.expect:
        raise UsageError(
            f"{file} has no scenario", remedy="add `scenario:` with steps and expectations to it"
        )
    planned = cells(bases, asked.axes)
    groups = shared(planned)
    if not groups:
        reasons = (f"\n  {cell.row}, {cell.column}: {cell.reason}" for cell in planned)
        raise UsageError(f"no cell of this matrix can be:{''.join(reasons)}")
    found = {one.cell.way: one for group in groups for one in _group(file, group, asked)}
    grid = Grid(
        scenario.title or Path(file).stem,
        [
            found.get(cell.way) or Result(cell, command(file, cell.alone(asked.axes.step), asked))
            for cell in planned
        ],
        command(file, asked.axes, asked),
    )
    if asked.html:
        from lab.scenarios.pages import matrix_page  # the plotting library takes a second to import

        Path(asked.html).write_text(matrix_page(grid), encoding="utf-8")
    return Answer(grid.to_json(), render(grid), ok=grid.ok)


def command(file: str, axes: Axes, asked: Survey) -> str:
    """What runs these cells again. Pure."""
    flags = {
        "--engine": asked.engine,
        "--repeat": asked.repeat if asked.repeat > 1 else None,
        "--seed": asked.seed,
    }
    given = (str(word) for pair in flags.items() if pair[1] is not None for word in pair)
    return shlex.join(["lab", "matrix", file, *axes.flags, *given])


def _group(file: str, group: Sequence[Cell], asked: Survey) -> Iterator[Result]:
    """Run cells on the lab that they share; after a cell that went wrong, the others get a fresh one."""
    rest = list(group)
    while rest:
        lab = _lab(rest[0])
        try:
            with borrowed(lab, keep=asked.keep):
                ran_on = asyncio.run(versions_of(lab.topology))
                while rest:
                    cell = rest[0]
                    said = command(file, cell.alone(asked.axes.step), asked)
                    yield Result(cell, said, _verdict(cell, said, ran_on, asked))
                    del rest[0]
        except (UsageError, EngineUnavailable):
            raise
        except LabError as error:
            if not rest:
                raise
            cell = rest.pop(0)
            yield Result(cell, command(file, cell.alone(asked.axes.step), asked), error=str(error))


def _lab(cell: Cell) -> Lab:
    assert cell.topology, "only cells that can be are run"
    return from_topology(cell.topology.renamed(cell.lab))


def _verdict(cell: Cell, said: str, ran_on: Mapping[str, str], asked: Survey) -> Verdict:
    lab = _lab(cell)
    scenario = lab.topology.scenario
    with Progress() as progress:
        progress(lab.name, f"{cell.column}, {cell.row}")
    rounds = play_rounds(lab, scenario.seed if asked.seed is None else asked.seed, asked.repeat)
    verdict = Verdict(lab.name, scenario.title, rounds, cell.expected, said, ran_on)
    keep(lab.dir, verdict)
    return verdict
