"""Takes labs down: nothing of them runs afterwards, whatever state they were in."""

import asyncio
import shutil

from lab.base.errors import LabError, NoSuchLab
from lab.base.state import LabDir, lab_home, lab_names
from lab.engines.lock import held
from lab.faults.catalogue import ENGINE_PARTS
from lab.faults.ledger import Ledger
from lab.ops import keeper
from lab.ops.answer import Answer
from lab.ops.labs import engine_for, meant


def down(name: str, *, every: bool = False, purge: bool = False) -> Answer:
    """Stop one lab or `every` lab; with `purge` also forget its objects, certificates and logs.

    Works on a lab that crashed, that was never finished, and on one that is down already.
    """
    names = lab_names() if every else [_named(name)]
    rows = [_take_down(one, purge=purge) for one in names]
    lines = [f"lab {row['lab']}: {row['was']}, now {row['now']}" for row in rows]
    return Answer(rows, "\n".join(lines) or "no labs here; nothing to take down")


def _named(name: str) -> str:
    """The lab that is meant; one that has only a folder left is fine too."""
    if name and LabDir.of(name).root.exists():
        return name
    return meant(name)


def _take_down(name: str, *, purge: bool) -> dict[str, str]:
    folder = LabDir.of(name)
    engine = engine_for(name)
    keeper.end(folder)
    with held(folder, "down"):
        was = "running" if engine.is_running(folder) else "not running"
        asyncio.run(engine.remove(folder))
        Ledger(folder.ledger).keep_only(lambda fault: fault.kind not in ENGINE_PARTS)
    if purge:
        _forget(folder)
    kept = " (its objects are kept)" if engine.name == "embedded" else ""
    return {"lab": name, "was": was, "now": "gone" if purge else f"down{kept}"}


def _forget(folder: LabDir) -> None:
    if folder.root.parent != lab_home():
        raise NoSuchLab(f"{folder.root} is not a lab's folder")
    try:
        shutil.rmtree(folder.root)
    except OSError as error:
        raise LabError(f"cannot remove {error.filename}: {error.strerror}") from error
