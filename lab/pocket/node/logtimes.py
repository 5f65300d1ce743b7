"""When a log file had which size: the times of lines in files that their own writers append to.

A sample every few seconds; after a node restart the history before it collapses to the file's age.
"""

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.base.wait import pause

EVERY = 2.0
KEPT = 10_000


@dataclass
class _History:
    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class LogTimes:
    """Samples of all log files of this node."""

    def __init__(self) -> None:
        self._files: dict[Path, _History] = {}

    async def run(self, files: Callable[[], Iterable[Path]]) -> None:
        """Sample until cancelled."""
        while True:
            self.sample(files())
            await pause(EVERY)

    def sample(self, files: Iterable[Path]) -> None:
        current = list(files)
        for path in current:
            if path.exists():
                self._note(path)
        for gone in self._files.keys() - set(current):
            if not gone.exists():
                del self._files[gone]

    def offset_at(self, path: Path, moment: float) -> int:
        """How large the file was at `moment`: what was written later stands behind."""
        history = self._note(path)
        index = bisect.bisect_right(history.times, moment)
        return history.sizes[index - 1] if index else 0

    def stamp(self, path: Path, offset: int) -> str:
        """The time by which the byte before `offset` had been written, as RFC 3339."""
        history = self._files.get(path) or self._note(path)
        index = bisect.bisect_left(history.sizes, offset)
        if index == len(history.sizes):
            history = self._note(path)
        moment = history.times[min(index, len(history.times) - 1)]
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")

    def _note(self, path: Path) -> _History:
        state = path.stat()
        history = self._files.setdefault(path, _History())
        if not history.sizes or history.sizes[-1] != state.st_size:
            history.times.append(state.st_mtime)
            history.sizes.append(state.st_size)
            del history.times[:-KEPT], history.sizes[:-KEPT]
        return history
