"""`lab search`: looks for a sequence of faults under which a scenario's expectations fail.

One lab serves all tries. Each begins with everything healed, proven, and the lab healthy; the shortest
sequence found is written as a topology file, which is then run once more before it is called a finding.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from lab.base.errors import CheckFailed, LabError, UsageError
from lab.ops import fault
from lab.ops.answer import Answer
from lab.ops.labs import Lab, from_file
from lab.ops.run import borrowed, check_output, play_rounds
from lab.ops.search.hunt import Budget, Hunt, Unplayable, shortest
from lab.ops.search.space import Hits, candidates, searched, with_sequence, words
from lab.ops.up import bring_up
from lab.scenarios.report import problems
from lab.scenarios.verdict import Verdict
from lab.topology.fault_words import FaultKind
from lab.topology.load import dump, load
from lab.topology.model import EngineName
from lab.topology.problem import did_you_mean, listed


@dataclass(frozen=True)
class Asked:
    """What the command line says. `output` "" is a file here, named after the lab."""

    budget: Budget
    lab: str = ""
    engine: EngineName | None = None
    variant: str = ""
    kinds: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    output: str = ""
    keep: bool = False


def search(file: str, asked: Asked) -> Answer:
    """Not ok when a sequence was found. Raises LabError when the lab does not get well between tries."""
    lab = from_file(file, asked.lab, asked.engine, asked.variant)
    _check(lab, asked)
    base = lab.with_topology(searched(lab.topology))
    drawn_from = candidates(base.topology, asked.kinds, asked.clusters)
    output = Path(asked.output or f"{lab.name}-found.yaml")
    check_output("--output", str(output))

    def fails(sequence: Hits) -> bool:
        return _fails(base, sequence, number=len(hunt.known) + 1)

    hunt = Hunt(fails, asked.budget)
    again, trouble = None, ""
    with borrowed(base, keep=asked.keep):
        if found := shortest(drawn_from, hunt):
            try:
                again = _written(base, found, output, f"lab search {file} --seed {asked.budget.seed}")
            except LabError as error:  # what was found is not lost for it
                trouble = str(error)
    return _answer(hunt, output, again, trouble)


def _check(lab: Lab, asked: Asked) -> None:
    lab.chosen(asked.clusters)
    for kind in asked.kinds:
        known = get_args(FaultKind)
        if kind not in known:
            raise UsageError(f'--kind "{kind}": no fault', remedy=did_you_mean(kind, known) or listed(known))


def _fails(base: Lab, sequence: Hits, number: int) -> bool:
    """Whether a sequence fails twice: a machine that has much else to do fails this or that once."""
    return all(_failed(base, sequence, f"try {number}{again}") for again in ("", " again"))


def _failed(base: Lab, sequence: Hits, number: str) -> bool:
    """Play a sequence on the healed lab. What cannot be judged for sure did not fail."""
    said = words(sequence)
    sys.stderr.write(f"{number}: {said}\n")
    _calm(base)
    try:
        topology = with_sequence(base.topology, sequence)
        (played,) = play_rounds(base.with_topology(topology), topology.scenario.seed, 1)
    except LabError as error:
        sys.stderr.write(f"{number}: could not be played: {error}\n")
        raise Unplayable(f"{said}: {error}", remedy=error.remedy) from error
    sys.stderr.write(f"{number}: {played.word}{problems(played.outcomes)}\n")
    return played.word == "failed"


def _calm(lab: Lab) -> None:
    """Heal all, prove it, and wait until the lab is healthy. Raises CheckFailed when it does not get so."""
    healed = fault.heal((), lab=lab.name)
    if not healed.ok:
        raise CheckFailed(
            f"lab {lab.name} is not as it was before a try, so the search ends: {healed.view}",
            remedy=f"`lab down {lab.name}`, and search again",
        )
    bring_up(lab)


def _written(base: Lab, found: Hits, output: Path, head: str) -> Verdict:
    """Write the finding as a topology file, and give the verdict of running that."""
    made = with_sequence(base.topology, found)
    told = {"title": f"Found by a search: {words(found)}", "verdict": "failed"}
    made = made.model_copy(update={"scenario": made.scenario.model_copy(update=told)})
    output.write_text(f"# {head} found that this fails:\n#\n#   lab run {output}\n{dump(made)}", "utf-8")
    sys.stderr.write(f"again, from {output}: {words(found)}\n")
    topology = load(str(output), name=base.name)
    _calm(base)
    rounds = play_rounds(base.with_topology(topology), topology.scenario.seed, 1)
    return Verdict(base.name, topology.scenario.title, rounds)


def _answer(hunt: Hunt, output: Path, again: Verdict | None, trouble: str) -> Answer:
    """`again` is the verdict of the file that was written; `trouble` why there is none."""
    tries, found = len(hunt.known), words(hunt.best) if hunt.best else ""
    counts = f"{tries} sequences" + (f" ({hunt.unplayable} could not be played)" if hunt.unplayable else "")
    data = {
        "found": found or None,
        "file": str(output) if found else None,
        "failsAgain": again.word == "failed" if again else None,
        "tries": tries,
        "unplayable": hunt.unplayable,
        "seed": hunt.budget.seed,
        "sequences": [{"words": said, "failed": failed} for said, failed in hunt.known.items()],
    }
    if not found:
        ended = "" if tries >= hunt.budget.tries else f" in {hunt.budget.seconds:g} s, the time it had"
        return Answer(data, f"nothing found in {counts}{ended}; seed {hunt.budget.seed}")
    if again is None:
        sure, seen = f"it could not be run once more: {trouble}", ""
    else:
        sure = "it fails again" if again.word == "failed" else f"run once more it {again.word}: by chance?"
        seen = problems(again.rounds[0].outcomes)
    return Answer(data, f"found in {counts}: {found}\n{output}: {sure}{seen}", ok=False)
