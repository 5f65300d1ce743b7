"""Commands run inside containers: starts them through the runtime and waits for their ends.

The runtime reports an end as an event, which may arrive before the caller asks for it.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from lab.base.errors import LabError
from lab.pocket.node.pipes import read_all
from lab.pocket.node.runtime import ContainerState, Exec, PodRuntime

EARLY = 256


@dataclass(frozen=True)
class Output:
    """What a finished command said."""

    code: int
    text: str


class Execs:
    """All execs of this node."""

    def __init__(self, runtime: PodRuntime) -> None:
        self._runtime = runtime
        self._ends: dict[str, asyncio.Future[int]] = {}
        self._early: dict[str, int] = {}

    async def open(self, container_id: str, argv: Sequence[str], *, tty: bool = False) -> Exec:
        """Start a command; the caller closes its descriptors and awaits `end`."""
        return await self._runtime.exec(container_id, argv, tty=tty)

    async def end(self, exec_id: str) -> int:
        """The exit code, once the command has ended."""
        if exec_id in self._early:
            return self._early.pop(exec_id)
        future = self._ends.setdefault(exec_id, asyncio.get_running_loop().create_future())
        try:
            return await future
        finally:
            self._ends.pop(exec_id, None)

    async def resize(self, exec_id: str, columns: int, rows: int) -> None:
        await self._runtime.resize(exec_id, columns, rows)

    async def run(self, container_id: str, argv: Sequence[str]) -> Output:
        """Run a command to its end, as probes and hooks do; one that nobody waits for any more is killed."""
        started = await self.open(container_id, argv)
        stdin, *outputs = started.fds
        os.close(stdin)
        try:
            texts = await asyncio.gather(*(read_all(fd) for fd in outputs))
            return Output(await self.end(started.id), b"".join(texts).decode(errors="replace"))
        except asyncio.CancelledError:
            with contextlib.suppress(LabError):  # it has just ended by itself
                await self._runtime.signal(started.id, signal.SIGKILL)
            raise

    def ended(self, state: ContainerState) -> None:
        """The runtime reports an end."""
        code = state.exit_code if state.exit_code is not None else 0
        if (future := self._ends.get(state.id)) and not future.done():
            future.set_result(code)
            return
        self._early[state.id] = code
        while len(self._early) > EARLY:
            self._early.pop(next(iter(self._early)))
