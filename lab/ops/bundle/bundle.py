"""`lab bundle`: one archive with all that somebody needs who is to find out what happened in a lab.

Reads, never changes the lab. Order: state and objects (for their secrets), then every part through the gate
that redacts, then the summary, which is packed first.
"""

import asyncio
import contextlib
import getpass
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lab as package
from lab.base.errors import UsageError
from lab.base.state import lab_home
from lab.faults.ledger import Ledger
from lab.ops.answer import Answer
from lab.ops.bundle import collect
from lab.ops.bundle.portable import Portable, portable
from lab.ops.bundle.redact import Redactor
from lab.ops.bundle.staging import FORMAT, MANIFEST, Staging, digests, pack
from lab.ops.bundle.summary import Facts, page
from lab.ops.bundle.versions import versions
from lab.ops.labs import Lab, find
from lab.ops.progress import Progress
from lab.ops.runs import LastRun, kept
from lab.topology.load import dump

FIRST = ("index.html", "summary.md", MANIFEST)
SHORTEST_NAME = 3


def bundle(name: str = "", output: str = "") -> Answer:
    """Pack the lab of that name. The answer has the file and what could not be had."""
    lab = find(name)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    target = Path(output or f"{lab.name}-{stamp}.tar.gz")
    if not target.parent.is_dir():
        raise UsageError(f"--output {target}: there is no folder {target.parent}")
    with Progress() as progress, tempfile.TemporaryDirectory(prefix="lab-bundle-") as folder:
        staging = Staging(Path(folder), Redactor(places=places()), progress)
        asyncio.run(_fill(lab, staging, target.name))
        progress("bundle", f"packing {len(staging.sizes)} files")
        partial = target.with_name(f".{target.name}.part")
        try:
            pack(staging.root, re.sub(r"\.(tar\.gz|tgz)$", "", target.name), FIRST, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    size = target.stat().st_size
    missing = [{"part": one.part, "reason": one.reason} for one in staging.missing]
    said = f"{target}: {len(staging.sizes)} files, {size / 1e6:.1f} MB; its first page is index.html"
    lines = [said, *(f"could not be had: {one['part']}: {one['reason']}" for one in missing)]
    data = {"file": str(target), "bytes": size, "files": len(staging.sizes), "missing": missing}
    return Answer(data, "\n".join(lines))


async def _fill(lab: Lab, staging: Staging, file: str) -> None:
    found = await collect.look(lab, staging)
    staging.redactor = Redactor(collect.secrets(lab, found, lab.inspector), places())
    moved = Portable(lab.topology, {})
    with staging.part("topology"):
        moved = portable(lab.topology, staging)
        staging.text("topology.yaml", dump(moved.topology))
    faults: list[dict[str, Any]] = []
    with staging.part("ledger"):
        standing = Ledger(lab.dir.ledger).read().values()
        faults = [{**one.to_json(), "target": str(one.target)} for one in standing]
        staging.json("ledger.json", [one.to_json() for one in standing])
    run = _last_run(lab, staging)
    known: Mapping[str, Any] = {}
    with staging.part("versions"):
        known = await versions()
        staging.json("versions.json", known)
    if found.state:
        staging.json("status.json", found.state.to_json())
    await collect.rest(lab, staging, found)
    facts = Facts(
        lab=lab.name,
        engine=lab.topology.engine,
        time=time.time(),
        state=found.state,
        verdict=run.verdict if run else None,
        faults=faults,
        versions=known,
        programs=moved.programs,
        missing=staging.missing,
        sizes=dict(staging.sizes),
        file=file,
    )
    _finish(staging, facts)


def _last_run(lab: Lab, staging: Staging) -> LastRun | None:
    run: LastRun | None = None
    with staging.part("last run"):
        run = kept(lab.dir)
        if run is not None:
            staging.json("run/verdict.json", run.verdict)
            for path in run.calls:
                staging.text(f"run/{path.name}", path.read_text())
    return run


def _finish(staging: Staging, facts: Facts) -> None:
    """The summary in both forms, and the list of everything else."""
    summary = page(facts)
    staging.text("summary.md", summary.markdown())
    staging.text("index.html", summary.html())
    manifest = {
        "format": FORMAT,
        "lab": facts.lab,
        "time": facts.time,
        "programs": facts.programs,
        "missing": [{"part": one.part, "reason": one.reason} for one in staging.missing],
        "files": [{"path": path, "sha256": digest} for path, digest in digests(staging.root).items()],
    }
    staging.json(MANIFEST, manifest)


def places() -> tuple[tuple[str, str], ...]:
    """Folders and names of this machine that mean nothing elsewhere, longest first."""
    source = Path(package.__file__).resolve().parent.parent
    known = {
        str(lab_home().resolve()): "$LAB_HOME",
        str(source): "$LAB_SOURCE",
        sys.prefix: "$PREFIX",
        sys.base_prefix: "$PYTHON",
        str(Path.home()): "~",
    }
    with contextlib.suppress(KeyError, OSError):  # a user without a name cannot be named
        known[getpass.getuser()] = "USER"
    kept = {
        place: said
        for place, said in known.items()
        if len(place) >= SHORTEST_NAME and place not in ("/usr", "/usr/local", "root")
    }
    return tuple(sorted(kept.items(), key=lambda one: -len(one[0])))
