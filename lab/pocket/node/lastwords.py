"""What a container leaves behind as its termination message: a file it wrote, or the end of its log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MESSAGE_LIMIT = 4096
LOG_LIMIT, LOG_LINES = 2048, 80
"""Bytes and lines of the log that stand in for a message; all three numbers are upstream's."""


def last_words(spec: Mapping[str, Any], file: Path, log: Path, exit_code: int) -> str:
    """The message of an attempt that has ended; empty when it left none."""
    said = _tail(file, MESSAGE_LIMIT)
    if said or exit_code == 0 or spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return said
    return "".join(_tail(log, LOG_LIMIT).splitlines(keepends=True)[-LOG_LINES:])


def _tail(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - limit, 0))
            return file.read(limit).decode(errors="replace")
    except FileNotFoundError:
        return ""  # the attempt never came to write it
