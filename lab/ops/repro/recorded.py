"""What a bundle says of the lab that it was made of, as values; its files are in a folder by now.

Everything here was written by others: what has not the shape it should have ends in one UsageError.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab.base.errors import UsageError
from lab.faults import settings
from lab.faults.model import Fault
from lab.ops.bundle.redact import REDACTED
from lab.ops.repro import compare
from lab.topology.fault_words import Said
from lab.topology.grammar import is_inline
from lab.topology.load import load
from lab.topology.model import EngineName, Topology

MOST_ROUNDS = 100
"""Rounds of a run that are replayed at most."""
T = TypeVar("T")


@dataclass(frozen=True)
class Broken:
    """A fault that stood, in the words that make it again; `since` is Unix time."""

    id: str
    kind: str
    target: str
    options: Mapping[str, Said]
    since: float


@dataclass(frozen=True)
class Recorded:
    """`verdict` is that of the last run with its rounds and seed, None when none was made; `state` what `lab
    status` said, None when that could not be had."""

    topology: Topology
    engine: EngineName
    """What the lab was made of; `topology` may be on another by now."""
    versions: Mapping[str, Any]
    programs: Mapping[str, Mapping[str, str]]
    """Those it needs and does not hold, by what uses them: name and SHA-256."""
    redacted: tuple[str, ...]
    """Files of the topology in which secrets were replaced."""
    faults: tuple[Broken, ...]
    """In force when it was made, oldest first."""
    verdict: Mapping[str, Any] | None
    rounds: int
    seed: int
    state: Mapping[str, Any] | None


def recorded(folder: Path, manifest: Mapping[str, Any], name: str, engine: EngineName | None) -> Recorded:
    """Read an unpacked bundle, with its lab under another name and on the engine that was asked for."""
    file = folder / "topology.yaml"
    if not file.exists():
        rows: list[Mapping[str, Any]] = [row for row in manifest.get("missing", ()) if isinstance(row, dict)]
        why = next((f": {row.get('reason')}" for row in rows if row.get("part") == "topology"), "")
        raise UsageError(
            f"there is no topology in the bundle, so its lab cannot be built again{why}",
            remedy="its pages and files can still be read: unpack it and open index.html",
        )
    as_made = load(str(file))
    topology = load(str(file), engine, name or again(as_made.name))
    _inside(topology, folder)
    verdict, state = (
        _shaped("run/verdict.json", folder, dict, None),
        _shaped("status.json", folder, dict, None),
    )
    _read("run/verdict.json", lambda: verdict and compare.verdicts(verdict, verdict))
    _read("status.json", lambda: state and compare.states(state, state))
    return Recorded(
        topology,
        as_made.engine,
        _shaped("versions.json", folder, dict, {}),
        _read("manifest.json", lambda: _programs(manifest)),
        tuple(_redacted(folder)),
        _read("ledger.json", lambda: _faults(_shaped("ledger.json", folder, list, []))),
        verdict,
        *_read("run/verdict.json", lambda: _rounds(verdict)),
        state,
    )


def _inside(topology: Topology, folder: Path) -> None:
    """A bundle brings the files that its topology names: it has no business with others of this machine."""
    steps = [inner for step in topology.scenario.steps for _path, inner in step.walk()]
    programs = [
        *(step.run[0] for step in steps if step.run),
        *(one.output.run[0] for one in topology.scenario.probes.values() if one.output),
        *(argv[0] for argv in topology.images.values()),
    ]
    manifests = [*topology.manifests, *(step.apply for step in steps if step.apply)]
    for path in [one for one in manifests if not is_inline(one)] + [one for one in programs if "/" in one]:
        if not Path(path).resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"the topology of the bundle names a file that is not in it: {path}")


def again(name: str) -> str:
    """The name of a lab that is built again: short enough for a name. Pure."""
    return f"{name[:26].rstrip('-')}-repro"


def _shaped(path: str, folder: Path, kind: type, default: Any) -> Any:
    if not (folder / path).exists():
        return default
    found = _read(path, lambda: json.loads((folder / path).read_bytes()))
    if not isinstance(found, kind):
        raise UsageError(f"{path} of the bundle is damaged: found no {kind.__name__} in it")
    return found


def _read(path: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} of the bundle is damaged: {type(error).__name__} {error}") from error


def _rounds(verdict: Mapping[str, Any] | None) -> tuple[int, int]:
    """How many rounds there were, and the seed of the last."""
    rounds = verdict["rounds"] if verdict else ()
    return min(len(rounds), MOST_ROUNDS), int(rounds[-1]["seed"]) if rounds else 0


def _programs(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {
        str(use): {"name": str(one["name"]), "sha256": str(one["sha256"])}
        for use, one in manifest["programs"].items()
    }


def _faults(rows: Iterable[Mapping[str, Any]]) -> tuple[Broken, ...]:
    found = map(_broken, map(Fault.from_json, rows))
    return tuple(sorted(found, key=lambda one: one.since))


def _broken(fault: Fault) -> Broken:
    options = {name: word or True for name, word in settings.words(fault).items()}
    return Broken(str(fault.id), str(fault.kind), str(fault.target), options, float(fault.since))


def _redacted(folder: Path) -> Iterable[str]:
    files = sorted(path for path in (folder / "files").rglob("*") if path.is_file())
    for path in (folder / "topology.yaml", *files):
        if REDACTED.encode() in path.read_bytes():
            yield str(path.relative_to(folder))
