"""The record of every fault that is, or may be, in effect: a file in the lab's folder.

A fault enters before it is applied and leaves after its healing was read back. Whoever finds a
record in state `applying` or `healing` knows that a command was cut short there. Commands that write at the
same time take turns; a reader always finds a whole file.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.base.errors import LabError
from lab.base.log import get_logger
from lab.base.state import write_private
from lab.faults.model import Fault

log = get_logger(__name__)
Faults = dict[str, Fault]


class Ledger:
    """Reads and writes one lab's record; every write replaces the file in one step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Faults:
        """All recorded faults by id, oldest first. Raises LabError if the file is damaged."""
        if not self._path.exists():
            return {}
        try:
            rows = json.loads(self._path.read_text())
            return {fault.id: fault for fault in map(Fault.from_json, rows)}
        except (ValueError, TypeError, KeyError) as error:
            raise LabError(
                f"the fault ledger {self._path} is damaged: {error}",
                remedy="`lab down` and `lab up` bring the lab back without faults",
            ) from error

    def put(self, fault: Fault) -> Fault:
        """Record a fault or its new state; it is on disk when this returns."""
        self._change(lambda faults: faults.update({fault.id: fault}))
        return fault

    def drop(self, fault_id: str) -> None:
        """Forget a fault that was seen healed."""
        self._change(lambda faults: faults.pop(fault_id, None))

    def condemn(self) -> None:
        """Leave every fault to be healed by who comes next."""
        if self._path.exists():
            self._change(lambda faults: faults.update({one.id: one.at("healing") for one in faults.values()}))

    def keep_only(self, wanted: Callable[[Fault], bool]) -> None:
        """Forget what went with the lab's processes; a damaged record is forgotten as a whole."""
        if not self._path.exists():
            return
        with self.alone():
            try:
                kept = [fault for fault in self.read().values() if wanted(fault)]
            except LabError as error:
                log.warning("nothing is healed by the next `up`", error=error)
                kept = []
            self._write(kept)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes during the block; the kernel lets go of it for who dies in it."""
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _change(self, edit: Callable[[Faults], object]) -> None:
        with self.alone():
            faults = self.read()
            edit(faults)
            self._write(faults.values())

    def _write(self, faults: Iterable[Fault]) -> None:
        write_private(self._path, json.dumps([fault.to_json() for fault in faults], indent=1))
