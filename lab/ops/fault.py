"""Breaks a running lab on purpose, lists what is broken, and heals it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import cast, get_args

from rich.table import Table

from lab.base.errors import UsageError
from lab.engines.lock import held
from lab.faults import settings
from lab.faults.inject import actual
from lab.faults.inject import heal as heal_one
from lab.faults.inject import inject as inject_one
from lab.faults.ledger import Ledger
from lab.faults.model import Fault, FaultKind, Target, next_id
from lab.faults.site import Site
from lab.ops.answer import Answer
from lab.ops.labs import Lab, find
from lab.ops.targets import LINKED, of_link, read_target
from lab.topology.fault_words import Said, lasts
from lab.topology.problem import did_you_mean


def inject(kind: str, target: str, *, lab: str = "", options: Mapping[str, Said] | None = None) -> Answer:
    """Put one fault in force. `target` is CLUSTER[,CLUSTER], A|B or CLUSTER/NAMESPACE/NAME by kind, `options`
    what the flags of its verb say."""
    chosen = find(lab)
    if kind not in get_args(FaultKind):
        raise UsageError(f'no fault "{kind}"; there are {", ".join(get_args(FaultKind))}')
    target, is_one_way = of_link(target) if kind in LINKED else (target, False)
    said = {**(options or {}), **({"one_way": True} if is_one_way else {})}
    parameters = settings.parameters(cast(FaultKind, kind), said)
    _running(chosen)
    with held(chosen.dir, f"fault.{kind}"):
        site = _site(chosen)
        known = site.ledger.read()
        made = Fault(
            next_id(cast(FaultKind, kind), set(known)),
            cast(FaultKind, kind),
            read_target(chosen, kind, target),
            since=time.time(),
            parameters=parameters,
        )
        if same := next((f for f in known.values() if _same(f, made)), None):
            return _answer(same, f"{same.id}: {kind} {same.target} is in force already")
        done = asyncio.run(inject_one(site, made))
    stands = lasts(done.kind, done.parameters)
    outcome = f"in force; heal with: lab fault.heal --id {done.id}" if stands else "done"
    return _answer(done, f"{done.id}: {kind} {done.target} {outcome}")


def _same(one: Fault, other: Fault) -> bool:
    return (
        one.state == "active"
        and replace(other, id=one.id, since=one.since, state=one.state, before=one.before) == one
    )


def join(target: str, *, lab: str = "") -> Answer:
    """Heal every partition between the two sides."""
    chosen = find(lab)
    sides = read_target(chosen, "partition", of_link(target)[0])
    found = [
        fault.id
        for fault in _site(chosen).ledger.read().values()
        if fault.kind == "partition" and _sides(fault.target) == _sides(sides)
    ]
    if not found:
        raise UsageError(
            f"no partition {sides} in lab {chosen.name}", remedy="`lab fault.list` shows what is"
        )
    return heal(tuple(found), lab=lab)


def _sides(target: Target) -> frozenset[frozenset[str]]:
    return frozenset({frozenset(target.clusters), frozenset(target.others)})


def heal(ids: tuple[str, ...], *, lab: str = "") -> Answer:
    """Undo the named faults, or all, newest first, and prove that each is gone."""
    chosen = find(lab)
    site = _site(chosen)
    _running(chosen)
    with held(chosen.dir, "fault.heal"):
        known = site.ledger.read()
        for one in ids:
            if one not in known:
                there = ", ".join(known) or "none"
                raise UsageError(
                    f'no fault "{one}"; in force: {there}', remedy=did_you_mean(one, list(known))
                )
        doomed = [fault for fault in reversed(known.values()) if not ids or fault.id in ids]
        asyncio.run(_heal(site, doomed))
    rows = [fault.id for fault in doomed]
    return Answer(rows, "\n".join(f"{one}: healed" for one in rows) or "no faults in force")


async def _heal(site: Site, doomed: list[Fault]) -> None:
    for fault in doomed:
        await heal_one(site, fault)


def faults(name: str) -> Answer:
    """Faults on record, and whether each is really in force. Not ok when record and reality differ."""
    chosen = find(name)
    site = _site(chosen)
    known = list(site.ledger.read().values())

    async def look() -> list[bool | None]:
        return [await actual(site, fault) for fault in known]

    seen = asyncio.run(look()) if known and chosen.engine.is_running(chosen.dir) else [None] * len(known)
    words = {True: "yes", False: "no", None: "unknown"}
    rows = [{**_row(fault), "actual": words[real]} for fault, real in zip(known, seen, strict=True)]
    table = Table(box=None, pad_edge=False)
    for column in ("ID", "FAULT", "ON", "STATE", "REALLY IN FORCE", "SINCE"):
        table.add_column(column)
    for row in rows:
        age = f"{time.time() - float(str(row['since'])):.0f} s"
        table.add_row(
            str(row["id"]), str(row["what"]), *(str(row[key]) for key in ("target", "state", "actual")), age
        )
    return Answer(rows, table if rows else "no faults in force", ok=False not in seen)


def _site(lab: Lab) -> Site:
    return Site(lab.dir, lab.engine, lab.connect, Ledger(lab.dir.ledger))


def _running(lab: Lab) -> None:
    if not lab.engine.is_running(lab.dir):
        raise UsageError(f"lab {lab.name} is not running", remedy="`lab up` brings it up")


def _row(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.id,
        "kind": fault.kind,
        "what": _what(fault),
        "target": str(fault.target),
        "state": fault.state,
        "since": fault.since,
        "parameters": dict(fault.parameters),
    }


def _what(fault: Fault) -> str:
    said = (f"{name.replace('_', '-')} {word}".strip() for name, word in settings.words(fault).items())
    return " ".join([fault.kind, *said])


def _answer(fault: Fault, said: str) -> Answer:
    return Answer(_row(fault), said)
