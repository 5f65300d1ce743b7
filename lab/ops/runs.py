"""The last run of a lab's scenario, kept in its folder: the verdict and every call, for `lab bundle`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.errors import LabError
from lab.base.state import LabDir, make_private, write_private
from lab.scenarios.verdict import Verdict


@dataclass(frozen=True)
class LastRun:
    """`verdict` is what `lab run --json` printed; `calls` has a file of JSON lines per round."""

    verdict: dict[str, Any]
    calls: tuple[Path, ...]


def keep(lab: LabDir, verdict: Verdict) -> None:
    """Replace what is kept of the run before."""
    folder = make_private(lab.root / "run")
    for old in folder.iterdir():
        old.unlink()
    for number, one in enumerate(verdict.rounds, 1):
        lines = [
            json.dumps({"from": name.split("/")[0], **record.fields()})
            for name, records in sorted(one.course.calls.items())
            for record in records
        ]
        write_private(folder / f"calls-{number}.jsonl", "\n".join(lines) + "\n")
    write_private(folder / "verdict.json", json.dumps(verdict.to_json(), indent=1))


def kept(lab: LabDir) -> LastRun | None:
    """The last run, if there was one. Raises LabError when its record is damaged."""
    folder = lab.root / "run"
    try:
        verdict = json.loads((folder / "verdict.json").read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{folder / 'verdict.json'} is damaged: {error}") from error
    return LastRun(verdict, tuple(sorted(folder.glob("calls-*.jsonl"))))
