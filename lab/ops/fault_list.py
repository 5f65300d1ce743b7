"""What is broken on purpose: the record against what the kernel, the processes and the clusters show."""

import asyncio
import time

from rich.table import Table

from lab.faults import settings
from lab.faults.inject import actual
from lab.faults.model import Fault
from lab.faults.site import Site
from lab.faults.strays import Stray, of_engine, of_mesh
from lab.ops.answer import Answer
from lab.ops.labs import find

ACTUAL = {True: "in force", False: "missing", None: "unknown"}
COLUMNS = ("ID", "KIND", "TARGET", "STATE", "ACTUAL", "OWNER", "LEFT")


def faults(name: str) -> Answer:
    """Every fault on record and whether it is really in force, and what is in force on no record.

    Not ok when record and reality differ, or when a fault should be gone by now.
    """
    lab = find(name)
    is_running = lab.engine.is_running(lab.dir)
    rows = asyncio.run(_look(lab.site, is_running=is_running))
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=column == "ID", overflow="fold")  # an id is typed again to heal
    for one in rows:
        table.add_row(
            *(str(one[key]) for key in ("id", "what", "target", "state", "actual", "owner")), _left(one)
        )
    wrong = any(one["state"] != "active" or one["actual"] == ACTUAL[False] for one in rows)
    return Answer(rows, table if rows else "no faults in force", ok=not (wrong and is_running))


async def _look(site: Site, *, is_running: bool) -> list[dict[str, object]]:
    known = tuple(site.ledger.read().values())
    if not is_running:
        return [{**row(fault), "actual": "lab is down"} for fault in known]
    rows = [{**row(fault), "actual": ACTUAL[await actual(site, fault)]} for fault in known]
    return rows + [_stray(one) for one in [*await of_engine(site, known), *await of_mesh(site, known)]]


def _stray(one: Stray) -> dict[str, object]:
    state = {"state": "unrecorded", "actual": ACTUAL[True], "owner": "nobody", "leftSeconds": None}
    return {"id": "-", "kind": one.kind, "what": one.kind, "target": one.target, **state}


def row(fault: Fault) -> dict[str, object]:
    """A fault as data."""
    left = None if fault.expires is None else round(fault.expires - time.time(), 1)
    return {
        "id": fault.id,
        "kind": fault.kind,
        "what": _what(fault),
        "target": str(fault.target),
        "state": fault.shown(time.time()),
        "owner": fault.owner,
        "since": fault.since,
        "expires": fault.expires,
        "leftSeconds": left,
        "parameters": dict(fault.parameters),
    }


def _what(fault: Fault) -> str:
    said = (f"{name.replace('_', '-')} {word}".strip() for name, word in settings.words(fault).items())
    return " ".join([fault.kind, *said])


def _left(one: dict[str, object]) -> str:
    """How long a fault goes on."""
    return "until healed" if one["leftSeconds"] is None else f"{one['leftSeconds']:.0f} s"
