"""A topology file → a checked Topology, or one error that lists everything wrong with it.

Order: YAML, shape (pydantic), cross checks. The verbs call `load`; nothing above this package ever
sees raw YAML of a topology. Paths in the file become absolute, so that a copy of the topology still
works from the lab's state folder.
"""

import os
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from lab.base import shipped
from lab.base.errors import TopologyError, UsageError
from lab.topology import document
from lab.topology.check import check_all, check_names
from lab.topology.grammar import is_inline
from lab.topology.model import Cluster, EngineName, Topology
from lab.topology.probes import Probe
from lab.topology.problem import Path as ProblemPath
from lab.topology.problem import Problem, did_you_mean, listed
from lab.topology.scenario import Step
from lab.topology.shape import shown, translate, without

STDIN = "-"


def load(file: str, engine: EngineName | None = None, name: str = "", variant: str = "") -> Topology:
    """The topology in a file, on standard input (`-`) or shipped under a bare name (`flat`), as one of its
    variants if it has any: the first unless `variant` names another.

    `engine` and `name` override the ones in the file.
    """
    file = file if file == STDIN else str(shipped.topology(file))
    text = sys.stdin.read() if file == STDIN else _read(Path(file))
    folder = Path.cwd() if file == STDIN else Path(file).resolve().parent
    topology = _chosen(parse(text, "standard input" if file == STDIN else file, engine), variant)
    if name:
        topology = _renamed(topology, name)
    return _located(topology, folder, file)


def load_variants(file: str, engine: EngineName | None = None) -> dict[str, Topology]:
    """The topology in a file as each of its variants, in their order; itself under "" when it has none."""
    path = shipped.topology(file)
    topology = parse(_read(path), str(path), engine)
    return {
        name: _located(_chosen(topology, name), path.resolve().parent, str(path))
        for name in topology.variants or ("",)
    }


def parse(text: str, source: str, engine: EngineName | None = None) -> Topology:
    """The topology in a text. Pure; `source` names it in errors."""
    read = document.parse(text)
    problems = list(read.problems)
    topology: Topology | None = None
    if isinstance(read.data, dict):
        try:
            topology = Topology.model_validate(read.data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            problems += translate(details, read.data) + _in_the_rest(without(details, read.data))
    elif not problems:
        problems.append(Problem((), f"found {shown(read.data)}", "a mapping with name and clusters"))
    if topology is not None:
        topology = topology.on_engine(engine) if engine else topology
        problems += check_all(topology)
    if topology is None or problems:
        placed = [_on_line(problem, read) for problem in problems]
        raise TopologyError(source, [str(one) for one in sorted(placed, key=lambda one: one.line or 0)])
    return topology


def _in_the_rest(data: object) -> list[Problem]:
    """What can be said in spite of parts of the wrong shape: names that lead nowhere."""
    try:
        return check_names(Topology.model_validate(data))
    except ValidationError:
        return []


def dump(topology: Topology) -> str:
    """The topology as YAML that loads back to an equal one."""
    data = topology.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _on_line(problem: Problem, read: document.Document) -> Problem:
    if problem.line is not None:
        return problem
    return Problem(problem.path, problem.found, problem.allowed, problem.hint, read.line(problem.path))


def _chosen(topology: Topology, variant: str) -> Topology:
    known = list(topology.variants)
    if variant and variant not in known:
        remedy = did_you_mean(variant, known) or (f"it has {listed(known)}" if known else "leave it out")
        raise UsageError(f'topology {topology.name} has no variant "{variant}"', remedy=remedy)
    return topology.variant(variant or known[0]) if known else topology


def _renamed(topology: Topology, name: str) -> Topology:
    try:
        return topology.renamed(name)
    except ValidationError as error:
        problem = translate(error.errors(include_url=False), {"name": name})[0]
        raise UsageError(f'"{name}" cannot be the name of a lab', remedy=f"use {problem.allowed}") from None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"no topology file {file}", remedy=_meant(file)) from None
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise TopologyError(str(file), [problem]) from None
    except OSError as error:
        raise UsageError(f"cannot read topology file {file}: {error.strerror}") from error


def _meant(file: Path) -> str:
    """What the user may have meant: a near miss in the folder, or a shipped topology."""
    folder = file.parent if file.parent.is_dir() else Path()
    near = did_you_mean(file.name, (path.name for path in folder.glob("*.yaml")))
    names = shipped.names(str(file.parent))
    return near or did_you_mean(file.stem, names) or f"shipped are {listed(names)}"


def _located(topology: Topology, folder: Path, source: str) -> Topology:
    """The same topology with absolute manifest and program paths; missing ones are problems."""
    manifests = tuple(_placed(one, folder) for one in topology.manifests)
    steps = tuple(_step(step, folder) for step in topology.scenario.steps)
    places: list[tuple[ProblemPath, str]] = [
        *((("manifests", index), path) for index, path in enumerate(manifests)),
        *(
            ((*path, "apply"), inner.apply)
            for index, step in enumerate(steps)
            for path, inner in step.walk(("scenario", "steps", index))
            if inner.apply
        ),
    ]
    missing = [
        str(Problem(place, f'"{path}" does not exist', "a YAML file or a folder of them"))
        for place, path in places
        if not is_inline(path) and not os.path.exists(path)
    ]
    if missing:
        raise TopologyError(source, missing)
    clusters = {name: _cluster(one, folder) for name, one in topology.clusters.items()}
    images = {image: (_program(argv[0], folder), *argv[1:]) for image, argv in topology.images.items()}
    probes = {name: _probe(probe, folder) for name, probe in topology.scenario.probes.items()}
    scenario = topology.scenario.model_copy(update={"steps": steps, "probes": probes})
    return topology.model_copy(
        update={"clusters": clusters, "manifests": manifests, "images": images, "scenario": scenario}
    )


def _cluster(cluster: Cluster, folder: Path) -> Cluster:
    """The cluster with an absolute kubeconfig path; `~` is the user's home."""
    if cluster.kubeconfig is None:
        return cluster
    return cluster.model_copy(update={"kubeconfig": str(folder / Path(cluster.kubeconfig).expanduser())})


def _step(step: Step, folder: Path) -> Step:
    """The step with absolute paths, also in the steps inside it."""
    update: dict[str, object] = {
        word: tuple(_step(one, folder) for one in inner)
        for word, inner in (*step.groups, ("otherwise", step.otherwise))
    }
    if step.apply:
        update["apply"] = _placed(step.apply, folder)
    if step.run:
        update["run"] = (_program(step.run[0], folder), *step.run[1:])
    return step.model_copy(update=update)


def _probe(probe: Probe, folder: Path) -> Probe:
    """The probe with an absolute path of its program."""
    if probe.output is None:
        return probe
    program, *words = probe.output.run
    output = probe.output.model_copy(update={"run": (_program(program, folder), *words)})
    return probe.model_copy(update={"output": output})


def _placed(manifest: str, folder: Path) -> str:
    return manifest if is_inline(manifest) else str(folder / manifest)


def _program(program: str, folder: Path) -> str:
    """`./bin/x` is relative to the file; a bare name is looked up on PATH when it is started."""
    return str((folder / program).resolve()) if "/" in program else program
