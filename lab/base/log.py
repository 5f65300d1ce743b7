"""Log lines of the lab: a constant message plus key=value pairs, on stderr or in a file.

The same key names the same thing everywhere (`cluster`, `pod`, `link`, `error`), so that one grep
follows an object through all programs.
"""

import logging
import sys
from pathlib import Path
from typing import Any


class Logger:
    """A thin shape over the standard logger: `log.info("link ready", link="west-east")`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **pairs: Any) -> None:
        self._log(logging.DEBUG, message, pairs)

    def info(self, message: str, **pairs: Any) -> None:
        self._log(logging.INFO, message, pairs)

    def warning(self, message: str, **pairs: Any) -> None:
        self._log(logging.WARNING, message, pairs)

    def error(self, message: str, **pairs: Any) -> None:
        self._log(logging.ERROR, message, pairs)

    def exception(self, message: str, **pairs: Any) -> None:
        """An error that is a fault of ours: logs the traceback too. Call it from an except block."""
        self._log(logging.ERROR, message, pairs, trace=True)

    def _log(self, level: int, message: str, pairs: dict[str, Any], *, trace: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            text = "".join(f" {key}={_quote(value)}" for key, value in pairs.items())
            self._logger.log(level, "%s%s", message, text, exc_info=trace)


def get_logger(name: str) -> Logger:
    """The logger of one module."""
    return Logger(name)


def setup(path: Path | None = None, level: int = logging.INFO) -> None:
    """Send all log lines to `path` (appended) or stderr; called once by a program's main."""
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s.%(msecs)03d %(levelname).1s %(name)s: %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _quote(value: Any) -> str:
    text = str(value)
    return repr(text) if not text or any(c in text for c in ' "=\n') else text
