"""What whoever replays a bundle should know beforehand: what differs here, and what is not the lab's own."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.ops.bundle.redact import REDACTED
from lab.ops.bundle.versions import program
from lab.ops.repro.compare import printable
from lab.ops.repro.recorded import Recorded
from lab.topology.model import Topology


def absent(found: Recorded) -> list[str]:
    """Programs that the lab needs and that are not on this machine's PATH."""
    return [
        f"{one['name']} (for {use})"
        for use, one in found.programs.items()
        if shutil.which(one["name"]) is None
    ]


def notes(found: Recorded, here: Mapping[str, Any]) -> list[str]:
    """What is not as it was when the bundle was made, a sentence each."""
    said = list(differing(found.versions, here))
    if found.engine != found.topology.engine:
        said.append(f"engine: recorded {found.engine}, here {found.topology.engine}")
    for use, one in found.programs.items():
        now = program((one["name"],), shutil.which(one["name"]))
        if one["sha256"] and now["sha256"] != one["sha256"]:
            said.append(f"program {one['name']} (for {use}) is not the same file as the recorded one")
    if found.verdict and found.faults:
        standing = ", ".join(fault.id for fault in found.faults)
        said.append(f"faults that stood when it was made are no part of its run: {standing}")
    hidden = f"its secrets are not in the bundle, {REDACTED} stands for them"
    said += [f"{path}: {hidden}" for path in found.redacted]
    return list(map(printable, said))


def differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    """Versions that differ between where the bundle was made and here. Pure."""
    if not then:
        yield "versions: none were recorded"
        return
    for name in ("lab", "envoy", "python", "kernel"):
        if _shown(then.get(name)) != _shown(now.get(name)):
            yield f"{name}: recorded {_shown(then.get(name))}, here {_shown(now.get(name))}"
    packages, ours = (dict(one.get("distributions") or {}) for one in (then, now))
    others = [
        f"{name} {packages.get(name, 'none')} (here {ours.get(name, 'none')})"
        for name in sorted({*packages, *ours})
        if packages.get(name) != ours.get(name)
    ]
    if others:
        yield f"Python distributions: recorded {', '.join(others)}"


def _shown(version: Any) -> str:
    if isinstance(version, Mapping):
        return f"{version.get('version')} {version.get('commit')}".strip()
    return str(version or "unknown")


def brought(topology: Topology, folder: Path) -> list[str]:
    """What is executed or applied of the bundle's own: words of whoever made it, not of the lab. Pure."""
    steps = [inner for step in topology.scenario.steps for _path, inner in step.walk()]
    probes = [(name, one.output) for name, one in topology.scenario.probes.items() if one.output]
    found = [
        *(f"program of a step, as you: {' '.join(step.run)}" for step in steps if step.run),
        *(f"program of probe {name}, as you: {' '.join(one.run)}" for name, one in probes),
        *(f"program that stands for image {name}: {' '.join(run)}" for name, run in topology.images.items()),
        *(f"Kubernetes objects: {path}" for path in topology.manifests),
        *(f"Kubernetes objects: {step.apply}" for step in steps if step.apply),
    ]
    return [f"the bundle brings its own {printable(one.replace(f'{folder}/', ''))}" for one in found]
