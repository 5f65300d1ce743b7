"""The set of targets: read from flags, from the mounted ConfigMap file or from `POST /targets`.

One shape for all: `{"targets": {"front": {"url": "http://front.shop/", "rate": 50}}}`. Every problem is
reported at once; a wrong set never replaces a good one.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lab.base.errors import UsageError

MAX_RATE = 2000.0
KNOWN = ("url", "rate", "timeout", "method", "headers")


@dataclass(frozen=True)
class Target:
    name: str
    url: str
    rate: float = 50.0
    timeout: float = 5.0
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> tuple[Target, ...]:
    try:
        return from_document(json.loads(text))
    except ValueError as error:
        raise UsageError(f"the targets are not JSON: {error}") from error


def from_document(document: object) -> tuple[Target, ...]:
    """Targets of the shape above, or UsageError listing every problem with its path."""
    entries = document.get("targets") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise UsageError('the targets must be an object {"targets": {NAME: {"url": …, "rate": …}}}')
    problems = [p for name, entry in entries.items() for p in _problems(f"targets.{name}", entry)]
    if problems:
        raise UsageError("; ".join(problems))
    return tuple(Target(name=name, **_values(entry)) for name, entry in sorted(entries.items()))


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    numbers: dict[str, Any] = {key: float(entry[key]) for key in ("rate", "timeout") if key in entry}
    return {**entry, **numbers}


def _problems(path: str, entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{path} is {entry!r}, allowed: an object with url and rate"]
    found = [f"{path}.{key} is unknown, allowed: {', '.join(KNOWN)}" for key in entry if key not in KNOWN]
    url = entry.get("url")
    if not isinstance(url, str) or not _is_url(urlsplit(url)):
        allowed = "http://host[:port]/path, grpc://host:port[/service/method] or tcp://host:port"
        found.append(f"{path}.url is {url!r}, allowed: {allowed}")
    for key, limit in (("rate", MAX_RATE), ("timeout", 60.0)):
        if key in entry and not _positive(entry[key], limit):
            found.append(f"{path}.{key} is {entry[key]!r}, allowed: a number above 0, at most {limit:g}")
    if not isinstance(entry.get("method", "GET"), str):
        found.append(f"{path}.method is {entry['method']!r}, allowed: an HTTP method")
    headers = entry.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        found.append(f"{path}.headers is {headers!r}, allowed: an object of strings")
    return found


def _is_url(url: SplitResult) -> bool:
    has_port = url.netloc.rpartition(":")[2].isdigit()
    return bool(url.hostname) and (url.scheme == "http" or (url.scheme in ("grpc", "tcp") and has_port))


def _positive(value: object, limit: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 < value <= limit
    )


def from_flag(text: str, rate: float, timeout: float) -> Target:
    """`NAME=URL` of the command line."""
    name, equals, url = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--target {text!r} is not NAME=URL")
    (target,) = from_document({"targets": {name: {"url": url, "rate": rate, "timeout": timeout}}})
    return target
