"""Container logs over the kubelet API: whole, tail, since, follow, previous.

A container writes its log file itself, so lines carry no times of their own. `timestamps` and
`sinceSeconds` go by samples of the file's size (see `logtimes`): right to a few seconds.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from lab.base.wait import pause
from lab.kube.objects import Object, name, parse_time
from lab.pocket.node.api.target import KIT, container_of
from lab.pocket.node.lifecycle.status import container_status
from lab.pocket.node.logtimes import LogTimes
from lab.pocket.node.tracked import Tracked

POLL = 0.1
BLOCK = 65536


@dataclass(frozen=True)
class LogOptions:
    """The query of a log request."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None

    @classmethod
    def of(cls, request: web.Request) -> "LogOptions":
        query = request.query

        def number(key: str) -> int | None:
            if key not in query:
                return None
            if not query[key].isdigit():
                raise web.HTTPBadRequest(text=f"{key}: {query[key]!r} is not a number")
            return int(query[key])

        def flag(key: str) -> bool:
            return query.get(key, "").lower() in ("1", "true")

        seconds = number("sinceSeconds")
        since = time.time() - seconds if seconds is not None else None
        if "sinceTime" in query:
            since = parse_time(query["sinceTime"]).timestamp()
        return cls(
            flag("follow"),
            flag("previous"),
            flag("timestamps"),
            number("tailLines"),
            since,
            number("limitBytes"),
        )


@dataclass(frozen=True)
class _Run:
    """One attempt of a container, which may end and be followed by another while its log is read."""

    tracked: Tracked
    number: int

    @property
    def is_over(self) -> bool:
        return not any(a.number == self.number and a.running for a in self.tracked.attempts)


async def container_logs(request: web.Request) -> web.StreamResponse:
    """Answer with the log as plain text; with `follow`, until the container ends."""
    worker, tracked = container_of(request)
    options = LogOptions.of(request)
    attempts = tracked.attempts
    wanted = attempts[-2:-1] if options.previous else attempts[-1:]
    if not wanted:
        raise web.HTTPBadRequest(text=_why_no_log(worker.pod, tracked, previous=options.previous))
    path = worker.folder.log_path(tracked.name, wanted[0].number)
    times = request.app[KIT].log_times
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    sent = 0
    async for block in _blocks(path, options, _Run(tracked, wanted[0].number), times):
        data = block if options.limit is None else block[: options.limit - sent]
        sent += len(data)
        await response.write(data)
        if options.limit is not None and sent >= options.limit:
            break
    await response.write_eof()
    return response


def _why_no_log(pod: Object, tracked: Tracked, *, previous: bool) -> str:
    """Upstream's words, by which clients know that they may try again."""
    if previous:
        return f'previous terminated container "{tracked.name}" in pod "{name(pod)}" not found'
    view = tracked.view()
    reason = container_status(pod, tracked.spec, view)["state"]["waiting"]["reason"]
    if reason == "ErrImageNeverPull":
        reason = "image can't be pulled"
    return f'container "{tracked.name}" in pod "{name(pod)}" is waiting to start: {reason}'


async def _blocks(path: Path, options: LogOptions, run: _Run, times: LogTimes) -> AsyncIterator[bytes]:
    file = _open(path)
    if file is None:
        return
    with file:
        file.seek(_start(path, options, times))
        while True:
            # The end is looked up before reading, so that the last words are never missed.
            over = not options.follow or run.is_over
            while lines := file.readlines(BLOCK):
                if options.timestamps:
                    lines = _stamped(lines, file.tell(), path, times)
                yield b"".join(lines)
            if over:
                return
            await pause(POLL)


def _open(path: Path) -> BinaryIO | None:
    """The file, or None while the container has not made it."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _start(path: Path, options: LogOptions, times: LogTimes) -> int:
    """The offset at which the answer begins."""
    start = times.offset_at(path, options.since) if options.since is not None else 0
    return start if options.tail is None else max(start, tail_offset(path, options.tail))


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines begin."""
    size = path.stat().st_size
    if lines <= 0:
        return size
    position, newlines = size, 0
    with path.open("rb") as file:
        while position > 0:
            begin = max(position - BLOCK, 0)
            file.seek(begin)
            block = file.read(position - begin)
            if position == size and block.endswith(b"\n"):
                newlines -= 1  # the last line's own end
            at = len(block)
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                newlines += 1
                if newlines == lines:
                    return begin + at + 1
            position = begin
    return 0


def _stamped(lines: list[bytes], end: int, path: Path, times: LogTimes) -> list[bytes]:
    offset = end - sum(map(len, lines))
    result = []
    for line in lines:
        offset += len(line)
        result.append(times.stamp(path, offset).encode() + b" " + line)
    return result
