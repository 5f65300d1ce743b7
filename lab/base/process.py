"""The only place that starts programs of the host.

Everything else asks here, so that each program has a time limit, its output is kept for the error
message, and none outlives the command that started it. (Processes *inside* a lab are started by the
embedded engine's init, not here.)
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lab.base.errors import CommandError, LabError, TimedOut
from lab.base.programs import search_path

LONGEST_LINE = 1 << 20


class NotInstalled(LabError):
    """A program is not there to be run."""


@dataclass(frozen=True)
class Completed:
    """A program that has ended; output is decoded with replacement of bad bytes."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


async def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    check: bool = True,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a program to its end and return what it said. One that is not on PATH may be in the lab's cache.

    `env` is added to the caller's environment; `timeout` is in seconds; `pass_fds` stay open in it. Raises
    CommandError for a non-zero code (unless `check` is false), TimedOut after killing it, NotInstalled if it
    is not there.
    """
    merged = {**os.environ, "PATH": search_path(), **(env or {})}
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=merged,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    except FileNotFoundError as error:
        raise NotInstalled(
            f"the program `{argv[0]}` is not installed", remedy=f"install {argv[0]}"
        ) from error
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), timeout)
    except TimeoutError as error:
        raise TimedOut(f"`{' '.join(argv)}` did not end within {timeout:g} s") from error
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    done = Completed(
        tuple(argv), process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )
    if check and done.code != 0:
        raise CommandError(argv, done.code, done.stderr or done.stdout)
    return done


async def follow(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program to its end, hand each line it says (output and errors) to `on_line`; the result is its
    exit code.

    Raises TimedOut after killing it. It and its children are killed too when the caller is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PATH": search_path(), **(env or {})},
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    try:
        async with asyncio.timeout(timeout):
            while line := await process.stdout.readline():  # type: ignore[union-attr]
                on_line(line.decode(errors="replace").rstrip("\r\n"))
            return await process.wait()
    except TimeoutError as error:
        raise TimedOut(f"`{' '.join(argv)}` did not end within {timeout:g} s") from error
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
