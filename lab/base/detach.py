"""How a program leaves the command that started it, to live as long as it must.

Who starts one runs it with `lab.base.process` like any other: the part that the caller sees ends at once.
"""

import os
from pathlib import Path


def leave(log: Path) -> None:
    """Go on in a child with a session of its own; the calling process ends here with code 0."""
    if os.fork():
        os._exit(0)
    os.setsid()
    redirect(log)


def redirect(log: Path) -> None:
    """Standard streams to a log: nothing of the caller's terminal stays open."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    os.close(output)
    os.close(null)
    os.chdir("/")
