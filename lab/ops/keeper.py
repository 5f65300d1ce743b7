"""The keeper of a lab's leases: heals faults whose time is over, also when the command that made them died.

`python -m lab.ops.keeper LAB` leaves its caller and lives as long as the lab runs and a fault has a lease.
Its file in the lab's folder is locked while it lives and names it: there is only one, and `down` can end it.
"""

import asyncio
import fcntl
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from lab.base.detach import leave
from lab.base.errors import LabError, LockHeld
from lab.base.log import get_logger, setup
from lab.base.process import run
from lab.base.state import LabDir, make_private
from lab.base.wait import pause
from lab.engines.embedded.hostpid import HostProcess, start_ticks
from lab.engines.lock import held
from lab.faults.inject import recover
from lab.faults.ledger import Ledger
from lab.faults.model import Fault, unfinished
from lab.ops.labs import Lab, find

log = get_logger(__name__)
LOOK = 0.5
"""Seconds between two looks at the ledger: by so much a lease may be overdrawn on a quiet machine."""
START_WITHIN = 60.0
END_WITHIN = 5.0


async def ensure(lab: LabDir, *, for_one_more: bool = False) -> None:
    """Have a keeper if a fault has a lease, or will have one. Call it with the lab's lock: the keeper looks
    again when it gets that, so a fault that is recorded afterwards is not overlooked.
    """
    if (for_one_more or _leased(Ledger(lab.ledger).read())) and not _is_kept(lab):
        await run([sys.executable, "-m", "lab.ops.keeper", lab.name], timeout=START_WITHIN)


def end(lab: LabDir) -> None:
    """End the keeper, whatever it is doing; what it leaves half-done is on record."""
    if not _is_kept(lab):
        return
    try:
        facts = json.loads(_file(lab).read_text())
    except ValueError:
        return  # it has just started and finds no lab when it looks
    keeper = HostProcess(facts["pid"], facts["ticks"])
    keeper.kill()
    asyncio.run(keeper.gone(END_WITHIN))


def _file(lab: LabDir) -> Path:
    return lab.root / "keeper"


def _lock(lab: LabDir) -> int | None:
    """The locked file; None when another keeper has it."""
    descriptor = os.open(_file(lab), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_kept(lab: LabDir) -> bool:
    descriptor = _lock(lab)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def _keep(lab: Lab, lock: int) -> None:
    """Heal what is due until the lab ends or nothing has a lease any more."""
    while lab.engine.is_running(lab.dir):
        faults = lab.site.ledger.read()
        if unfinished(faults, time.time()) or not _leased(faults):
            try:
                with held(lab.dir, "the keeper of leases"):
                    asyncio.run(recover(lab.site))
                    if not _leased(lab.site.ledger.read()):
                        # Before the lab's lock: who gets that next knows that there is no keeper.
                        os.close(lock)
                        return
            except LockHeld:
                log.debug("another command is at work")
            except LabError as error:
                log.warning("a fault whose time is over cannot be healed yet", error=error)
        asyncio.run(pause(LOOK))


def _leased(faults: Mapping[str, Fault]) -> bool:
    return any(fault.expires is not None for fault in faults.values())


def main(argv: list[str]) -> int:
    folder = LabDir.of(argv[0])
    leave(make_private(folder.logs) / "keeper.log")
    setup()
    if (lock := _lock(folder)) is not None:
        os.ftruncate(lock, 0)
        os.pwrite(lock, json.dumps({"pid": os.getpid(), "ticks": start_ticks(os.getpid())}).encode(), 0)
        _keep(find(argv[0]), lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
