"""Breaks a running lab on purpose, lists what is broken, and heals it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import cast, get_args

from rich.table import Table

from lab.base.errors import UsageError
from lab.engines.lock import held
from lab.faults import impair as impairment
from lab.faults.catalogue import CATALOGUE
from lab.faults.inject import actual
from lab.faults.inject import heal as heal_one
from lab.faults.inject import inject as inject_one
from lab.faults.ledger import Ledger
from lab.faults.model import Fault, FaultKind, Target, next_id
from lab.faults.site import Site
from lab.ops.answer import Answer
from lab.ops.labs import Lab, find
from lab.ops.pods import split
from lab.topology.problem import did_you_mean


def inject(kind: str, target: str, *, lab: str = "", parameters: Mapping[str, int] | None = None) -> Answer:
    """Put one fault in force. `target` is CLUSTER[,CLUSTER], A|B or CLUSTER/NAMESPACE/DEPLOYMENT by kind."""
    chosen = find(lab)
    if kind not in get_args(FaultKind):
        raise UsageError(f'no fault "{kind}"; there are {", ".join(get_args(FaultKind))}')
    _running(chosen)
    with held(chosen.dir, f"fault.{kind}"):
        site = _site(chosen)
        known = site.ledger.read()
        made = Fault(
            next_id(cast(FaultKind, kind), set(known)),
            cast(FaultKind, kind),
            read_target(chosen, kind, target),
            since=time.time(),
            parameters=dict(parameters or {}),
        )
        if same := next((f for f in known.values() if _same(f, made)), None):
            return _answer(same, f"{same.id}: {kind} {same.target} is in force already")
        done = asyncio.run(inject_one(site, made))
    lasts = CATALOGUE[done.kind].lasts
    said = f"in force; heal with: lab fault.heal --id {done.id}" if lasts else "done"
    return _answer(done, f"{done.id}: {kind} {done.target} {said}")


def impair(target: str, settings: Mapping[str, str], *, one_way: bool = False, lab: str = "") -> Answer:
    """Impair the network between both sides; `settings` as the command line writes them, "" for not said."""
    parameters = impairment.parameters(settings, one_way=one_way)
    return inject("impair", target, lab=lab, parameters=parameters)


def _same(one: Fault, other: Fault) -> bool:
    return (
        one.state == "active"
        and replace(other, id=one.id, since=one.since, state=one.state, before=one.before) == one
    )


def join(target: str, *, lab: str = "") -> Answer:
    """Heal every partition between the two sides."""
    chosen = find(lab)
    sides = read_target(chosen, "partition", target)
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


def read_target(lab: Lab, kind: str, word: str) -> Target:
    """A target as the command line writes it. Raises UsageError for what does not fit the kind."""
    if kind in ("scale", "kill"):
        cluster, namespace, name = split(lab, word)
        return Target(clusters=(cluster,), namespace=namespace, service=name)
    if kind in ("partition", "impair"):
        one, _, other = word.partition("|")
        sides = _clusters(lab, one), _clusters(lab, other)
        if set(sides[0]) & set(sides[1]):
            raise UsageError(f'"{word}": a cluster cannot be on both sides')
        return Target(clusters=sides[0], others=sides[1])
    return Target(clusters=_clusters(lab, word))


def _clusters(lab: Lab, word: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lab.check_cluster(name.strip()) for name in word.split(",")))


def _site(lab: Lab) -> Site:
    return Site(lab.dir, lab.engine, lab.connect, Ledger(lab.dir.ledger))


def _running(lab: Lab) -> None:
    if not lab.engine.is_running(lab.dir):
        raise UsageError(f"lab {lab.name} is not running", remedy="`lab up` brings it up")


def _row(fault: Fault) -> dict[str, object]:
    return {
        "id": fault.id,
        "kind": fault.kind,
        "what": " ".join([fault.kind, *(f"{key} {word}" for key, word in impairment.words(fault).items())]),
        "target": str(fault.target),
        "state": fault.state,
        "since": fault.since,
        "parameters": dict(fault.parameters),
    }


def _answer(fault: Fault, said: str) -> Answer:
    return Answer(_row(fault), said)
