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

from lab.base.errors import TopologyError, UsageError
from lab.topology import document
from lab.topology.check import check
from lab.topology.model import EngineName, Topology
from lab.topology.problem import Problem, did_you_mean
from lab.topology.shape import shown, translate

STDIN = "-"


def load(file: str, engine: EngineName | None = None) -> Topology:
    """The topology in a file, or on standard input when the file is `-`; `engine` overrides the file's."""
    text = sys.stdin.read() if file == STDIN else _read(Path(file))
    folder = Path.cwd() if file == STDIN else Path(file).resolve().parent
    topology = parse(text, "standard input" if file == STDIN else file, engine)
    return _located(topology, folder, file)


def parse(text: str, source: str, engine: EngineName | None = None) -> Topology:
    """The topology in a text. Pure; `source` names it in errors."""
    read = document.parse(text)
    problems = list(read.problems)
    topology: Topology | None = None
    if isinstance(read.data, dict):
        try:
            topology = Topology.model_validate(read.data)
        except ValidationError as error:
            problems += translate(error.errors(include_url=False), read.data)
    elif not problems:
        problems.append(Problem((), f"found {shown(read.data)}", "a mapping with name and clusters"))
    if topology is not None:
        topology = topology.on_engine(engine) if engine else topology
        problems += check(topology)
    if topology is None or problems:
        raise TopologyError(source, [str(_on_line(problem, read)) for problem in problems])
    return topology


def dump(topology: Topology) -> str:
    """The topology as YAML that loads back to an equal one."""
    data = topology.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _on_line(problem: Problem, read: document.Document) -> Problem:
    if problem.line is not None:
        return problem
    return Problem(problem.path, problem.found, problem.allowed, problem.hint, read.line(problem.path))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"no topology file {file}", remedy=_neighbours(file)) from None
    except UnicodeDecodeError as error:
        raise TopologyError(str(file), [f"not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"]) from None
    except OSError as error:
        raise UsageError(f"cannot read topology file {file}: {error.strerror}") from error


def _neighbours(file: Path) -> str:
    """What the user may have meant: a shipped topology by bare name, or a near miss in the folder."""
    folder = file.parent if file.parent.is_dir() else Path()
    names = sorted(path.name for path in folder.glob("*.yaml"))
    shipped = Path("topologies") / f"{file.stem}.yaml"
    if shipped.is_file():
        return f'did you mean "{shipped}"?'
    return did_you_mean(file.name, names) or "the shipped ones are in topologies/"


def _located(topology: Topology, folder: Path, source: str) -> Topology:
    """The same topology with absolute manifest and program paths; missing ones are problems."""
    manifests = tuple(str(folder / path) for path in topology.manifests)
    missing = [
        str(Problem(("manifests", index), f'"{path}" does not exist', "a YAML file or a folder of them"))
        for index, path in enumerate(manifests)
        if not os.path.exists(path)
    ]
    if missing:
        raise TopologyError(source, missing)
    images = {image: (_program(argv[0], folder), *argv[1:]) for image, argv in topology.images.items()}
    return topology.model_copy(update={"manifests": manifests, "images": images})


def _program(program: str, folder: Path) -> str:
    """`./bin/x` is relative to the file; a bare name is looked up on PATH when it is started."""
    return str((folder / program).resolve()) if "/" in program else program
