"""A topology that works on another machine: the files it names lie beside it, programs go by name.

Manifests and small scripts of steps come along; programs (of images, and binaries of steps) do not: whoever
replays needs them, and `programs` says by which hash they were known.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.kube.manifests import read
from lab.ops.bundle.staging import Staging
from lab.ops.bundle.versions import program
from lab.topology.model import Topology
from lab.topology.scenario import Step

FILES = "files"
SCRIPT_LIMIT = 64 << 10
"""Bytes up to which the program of a step, if it is text, is taken for a script and comes along."""


@dataclass(frozen=True)
class Portable:
    """The topology as it is in a bundle, and what else it needs."""

    topology: Topology
    programs: dict[str, dict[str, str]]
    """By what uses it: name and SHA-256 of a program that is not in the bundle."""


def portable(topology: Topology, staging: Staging) -> Portable:
    """Write the files that a topology names and return it with their new places."""
    manifests = tuple(
        _manifest(Path(path), f"{FILES}/manifests-{number}", staging)
        for number, path in enumerate(topology.manifests, 1)
    )
    programs = {f"image {image}": program(argv, shutil.which(argv[0])) for image, argv in _own(topology)}
    images = {image: (_bare(argv[0]), *argv[1:]) for image, argv in topology.images.items()}
    steps = []
    for number, step in enumerate(topology.scenario.steps, 1):
        place = f"{FILES}/step-{number}"
        if step.apply:
            step = step.model_copy(update={"apply": _manifest(Path(step.apply), place, staging)})
        elif step.run:
            step = _run(step, place, staging, programs)
        steps.append(step)
    scenario = topology.scenario.model_copy(update={"steps": tuple(steps)})
    moved = {"manifests": manifests, "images": images, "scenario": scenario}
    return Portable(topology.model_copy(update=moved), programs)


def _own(topology: Topology) -> list[tuple[str, tuple[str, ...]]]:
    """Images that stand for programs of the machine, not for parts of the lab."""
    return [(image, argv) for image, argv in topology.images.items() if ":" not in argv[0]]


def _bare(word: str) -> str:
    return word if ":" in word else Path(word).name


def _manifest(source: Path, place: str, staging: Staging) -> str:
    """Copy a manifest file, or every one of a folder; returns where it lies in the bundle."""
    if not source.is_dir():
        staging.yaml(f"{place}/{source.name}", read(source))
        return f"{place}/{source.name}"
    for file in sorted(one for one in source.rglob("*") if one.suffix in (".yaml", ".yml")):
        staging.yaml(f"{place}/{file.relative_to(source)}", read(file))
    return place


def _run(step: Step, place: str, staging: Staging, programs: dict[str, dict[str, str]]) -> Step:
    argv = step.run or ()
    found = shutil.which(argv[0])
    if "/" in argv[0] and found and (text := _script(Path(found))) is not None:
        staging.text(f"{place}/{Path(found).name}", text)
        return step.model_copy(update={"run": (f"./{place}/{Path(found).name}", *argv[1:])})
    programs[f"step {step.words}"] = program(argv, found)
    return step.model_copy(update={"run": (_bare(argv[0]), *argv[1:])})


def _script(path: Path) -> str | None:
    if path.stat().st_size > SCRIPT_LIMIT:
        return None
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
