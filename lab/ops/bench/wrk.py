"""The load tool wrk: its command line, and what it says. Pure."""

import re
import shutil
from dataclasses import dataclass

from lab.base.errors import CheckFailed

MISSING = "wrk is not installed (Debian, Ubuntu: apt-get install wrk)"
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Load:
    """What one run saw: median latency in milliseconds, requests per second."""

    p50: float
    rate: float


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def command(url: str, connections: int, seconds: int) -> tuple[str, ...]:
    return ("wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s", "--latency", url)


def parse(output: str) -> Load:
    """Raises CheckFailed when requests failed: their speed would say nothing."""
    failed = re.search(r"Non-2xx or 3xx responses: .*|Socket errors: .*", output)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s|m)\b", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if failed or p50 is None or rate is None or float(rate[1]) == 0:
        seen = failed[0] if failed else output.strip()[-400:]
        raise CheckFailed(f"wrk did not get clean answers: {seen or 'no output'}")
    return Load(float(p50[1]) * _MILLISECONDS[p50[2]], float(rate[1]))
