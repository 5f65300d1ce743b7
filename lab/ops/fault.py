"""Breaks a running lab on purpose, and heals it."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast, get_args

from lab.base.errors import TimedOut, UsageError
from lab.base.wait import until
from lab.engines.lock import held
from lab.faults import settings
from lab.faults.baseline import Difference, compare
from lab.faults.inject import heal_each, recover
from lab.faults.inject import inject as inject_one
from lab.faults.model import Fault, FaultKind, Target, Tenure, next_id, unfinished
from lab.faults.site import Site
from lab.faults.strays import of_engine, of_mesh
from lab.ops import keeper
from lab.ops.answer import Answer
from lab.ops.fault_list import row
from lab.ops.labs import Lab, find
from lab.ops.targets import LINKED, of_link, read_target
from lab.topology.fault_words import Said, lasts
from lab.topology.problem import did_you_mean

PATIENCE = 20.0
"""Seconds that a fault verb waits for another command on the lab, such as the keeper, to end."""
SETTLED_WITHIN = 3.0
"""Seconds for programs that were stopped to be back as they were."""


def cli(seconds: float | None = None) -> Tenure:
    """The tenure of a fault that this command makes."""
    return Tenure(f"cli:{os.getpid()}", seconds)


def inject(
    kind: str,
    target: str,
    *,
    lab: str = "",
    options: Mapping[str, Said] | None = None,
    tenure: Tenure | None = None,
) -> Answer:
    """Put one fault in force. `target` is CLUSTER[,CLUSTER], A|B or CLUSTER/NAMESPACE/NAME by kind, `options`
    what the flags of its verb say.

    The same asked again, from the same side, renews the lease of what is in force.
    """
    chosen = find(lab)
    if kind not in get_args(FaultKind):
        raise UsageError(f'no fault "{kind}"; there are {", ".join(get_args(FaultKind))}')
    target, is_one_way = of_link(target) if kind in LINKED else (target, False)
    said = {**(options or {}), **({"one_way": True} if is_one_way else {})}
    tenure, now = tenure or cli(), time.time()
    made = Fault(
        "",
        cast(FaultKind, kind),
        read_target(chosen, kind, target),
        since=now,
        parameters=settings.parameters(cast(FaultKind, kind), said),
        owner=tenure.owner,
        expires=tenure.expires(now),
    )
    _running(chosen)
    with held(chosen.dir, f"fault.{kind}", within=PATIENCE):
        done, is_new = asyncio.run(_inject(chosen, made))
    return Answer(row(done), _said(done, is_new=is_new))


async def _inject(lab: Lab, made: Fault) -> tuple[Fault, bool]:
    """The fault as it stands, and whether it is new."""
    await recover(lab.site)
    known = lab.site.ledger.read()
    await keeper.ensure(lab.dir, for_one_more=made.expires is not None)
    if same := next((fault for fault in known.values() if fault.is_same(made)), None):
        return lab.site.ledger.put(replace(same, expires=made.expires)), False
    return await inject_one(lab.site, replace(made, id=next_id(made.kind, set(known)))), True


def _said(fault: Fault, *, is_new: bool) -> str:
    what = f"{fault.id}: {fault.kind} {fault.target}"
    if not lasts(fault.kind, fault.parameters):
        return f"{what} done"
    ends = f"for {fault.expires - time.time():.0f} s; or heal it" if fault.expires else "heal"
    stands = "is in force" if is_new else "was in force already"
    return f"{what} {stands}; {ends} with: lab fault.heal --id {fault.id}"


def join(target: str, *, lab: str = "") -> Answer:
    """Heal every partition between the two sides."""
    chosen = find(lab)
    sides = read_target(chosen, "partition", of_link(target)[0])
    found = [
        fault.id
        for fault in chosen.site.ledger.read().values()
        if fault.kind == "partition" and _sides(fault.target) == _sides(sides)
    ]
    if not found:
        raise UsageError(
            f"no partition {sides} in lab {chosen.name}", remedy="`lab fault.list` shows what is"
        )
    return heal(tuple(found), lab=lab)


def _sides(target: Target) -> frozenset[frozenset[str]]:
    return frozenset({frozenset(target.clusters), frozenset(target.others)})


@dataclass(frozen=True)
class Healing:
    """What was undone, and where the lab is still not as `up` left it."""

    healed: tuple[str, ...] = ()
    lifted: tuple[str, ...] = ()
    """Effects that were on no record."""
    differences: tuple[Difference, ...] = ()
    at: float = 0.0
    """Unix time at which the last of these faults was seen gone."""

    def to_json(self) -> dict[str, object]:
        return {
            "healed": list(self.healed),
            "at": self.at,
            "lifted": list(self.lifted),
            "differences": [vars(one) for one in self.differences],
        }

    def lines(self) -> list[str]:
        done = [f"{one}: healed" for one in self.healed] + [
            f"{one}: on no record, lifted" for one in self.lifted
        ]
        wrong = [f"  {one}" for one in self.differences]
        return [*(done or ["no faults in force"]), *(["not as `up` left it:", *wrong] if wrong else [])]


def heal(ids: tuple[str, ...], *, lab: str = "") -> Answer:
    """Undo the named faults and those whose commands died, newest first, and prove that each is gone.

    Without names: all, also what is on no record; then the lab is compared with how `up` left it, and the
    answer is not ok where it differs.
    """
    chosen = find(lab)
    _running(chosen)
    with held(chosen.dir, "fault.heal", within=PATIENCE):
        known = chosen.site.ledger.read()
        for one in ids:
            if one not in known:
                there = ", ".join(known) or "none"
                raise UsageError(
                    f'no fault "{one}"; in force: {there}', remedy=did_you_mean(one, list(known))
                )
        late = unfinished(known, time.time())
        doomed = [fault for fault in reversed(known.values()) if not ids or fault.id in ids or fault in late]
        done = asyncio.run(_heal(chosen.site, doomed, everything=not ids))
    return Answer(done.to_json(), "\n".join(done.lines()), ok=not done.differences)


async def _heal(site: Site, doomed: list[Fault], *, everything: bool) -> Healing:
    await heal_each(site, doomed)
    healed, at = tuple(fault.id for fault in doomed), time.time()
    if not everything:
        return Healing(healed, at=at)
    lifted = []
    for find_strays in (of_engine, of_mesh):  # clusters that the engine holds back cannot be asked
        for stray in await find_strays(site, ()):
            await stray.lift()
            lifted.append(str(stray))
    return Healing(healed, tuple(lifted), await _differences(site), at)


async def _differences(site: Site) -> tuple[Difference, ...]:
    """Where the lab is not as `up` left it, once its programs had the time to come back."""

    async def is_equal() -> bool:
        return not await compare(site)

    try:
        await until(is_equal, timeout=SETTLED_WITHIN, what="the lab is as `up` left it", every=0.2)
    except TimedOut:
        return await compare(site)
    return ()


def _running(lab: Lab) -> None:
    if not lab.engine.is_running(lab.dir):
        raise UsageError(f"lab {lab.name} is not running", remedy="`lab up` brings it up")
