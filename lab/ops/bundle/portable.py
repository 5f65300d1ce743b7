"""A topology that works on another machine: the files it names lie beside it, programs go by name.

Manifests and small scripts of steps and probes come along; programs (of images, and binaries) do not: whoever
replays needs them, and `programs` says by which hash they were known.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from lab.kube.manifests import read, written
from lab.ops.bundle.staging import Staging
from lab.ops.bundle.versions import program
from lab.topology.grammar import is_inline
from lab.topology.model import Topology
from lab.topology.probes import Probe
from lab.topology.scenario import Step

FILES = "files"
INLINE = "objects.yaml"
"""Where the objects lie that stood in the topology itself: as those of a file they are redacted whole."""
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
    move = _Move(staging)
    manifests = tuple(
        move.manifest(path, f"{FILES}/manifests-{number}")
        for number, path in enumerate(topology.manifests, 1)
    )
    images = {image: move.image(image, argv) for image, argv in topology.images.items()}
    steps = tuple(move.step(step) for step in topology.scenario.steps)
    probes = {name: move.probe(name, probe) for name, probe in topology.scenario.probes.items()}
    scenario = topology.scenario.model_copy(update={"steps": steps, "probes": probes})
    moved = {"manifests": manifests, "images": images, "scenario": scenario}
    return Portable(topology.model_copy(update=moved), move.programs)


@dataclass
class _Move:
    """Copies what a topology names into the bundle, and notes what has to be there already."""

    staging: Staging
    programs: dict[str, dict[str, str]] = field(default_factory=dict)
    count: int = 0

    def step(self, step: Step) -> Step:
        """The step with its files in the bundle, also those of the steps inside it."""
        self.count += 1
        place = f"{FILES}/step-{self.count}"
        update: dict[str, object] = {
            word: tuple(map(self.step, inner))
            for word, inner in (*step.groups, ("otherwise", step.otherwise))
        }
        if step.apply:
            update["apply"] = self.manifest(step.apply, place)
        if step.run:
            update["run"] = self.run(step.run, place, f"step {step.words}")
        return step.model_copy(update=update)

    def probe(self, name: str, probe: Probe) -> Probe:
        if probe.output is None:
            return probe
        argv = self.run(probe.output.run, f"{FILES}/probe-{name}", f"probe {name}")
        return probe.model_copy(update={"output": probe.output.model_copy(update={"run": argv})})

    def image(self, image: str, argv: tuple[str, ...]) -> tuple[str, ...]:
        """What stands for an image: a part of the lab as it is, a program of the machine by its name."""
        if ":" in argv[0]:
            return argv
        self.programs[f"image {image}"] = program(argv, shutil.which(argv[0]))
        return (Path(argv[0]).name, *argv[1:])

    def manifest(self, manifest: str, place: str) -> str:
        """Copy a manifest: the YAML itself, a file, or every one of a folder. Returns where it lies then."""
        if is_inline(manifest):
            self.staging.yaml(f"{place}/{INLINE}", written(manifest))
            return f"{place}/{INLINE}"
        source = Path(manifest)
        if not source.is_dir():
            self.staging.yaml(f"{place}/{source.name}", read(source))
            return f"{place}/{source.name}"
        for file in sorted(one for one in source.rglob("*") if one.suffix in (".yaml", ".yml")):
            self.staging.yaml(f"{place}/{file.relative_to(source)}", read(file))
        return place

    def run(self, argv: tuple[str, ...], place: str, user: str) -> tuple[str, ...]:
        """Copy a program if it is a script of the user's own; note any other."""
        found = shutil.which(argv[0])
        if "/" in argv[0] and found and (text := _script(Path(found))) is not None:
            self.staging.text(f"{place}/{Path(found).name}", text, executable=True)
            return (f"./{place}/{Path(found).name}", *argv[1:])
        self.programs[user] = program(argv, found)
        return (Path(argv[0]).name, *argv[1:])


def _script(path: Path) -> str | None:
    if path.stat().st_size > SCRIPT_LIMIT:
        return None
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
